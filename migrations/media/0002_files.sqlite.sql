-- Files that people upload. Their bytes are in object storage, under the names that their content's hash makes.

-- Content that is kept in object storage, once however many files have it. A row is here before an object is. Its id is made of its hash.
-- By primary key: hold, and the count of every file that comes or goes.
CREATE TABLE media_content (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  -- With the hash the prefix of its objects' names. The same content, when it comes back after it was condemned, is in another one.
  folder BLOB NOT NULL CHECK (length(folder) = 16),
  files INTEGER NOT NULL CHECK (files >= 0),
  touched_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- condemn: what no file has.
CREATE INDEX media_content_unused ON media_content (touched_at, id) WHERE files = 0;

-- Folders whose objects are to be removed; a row goes after them. Nobody will look into such a folder, and nothing is put into it any more.
-- In the order of its primary key, up to a limit: condemned.
CREATE TABLE media_condemned (
  folder BLOB NOT NULL PRIMARY KEY CHECK (length(folder) = 16),
  hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT, WITHOUT ROWID;

-- By primary key: file, and the compare-and-set of every write to a file.
CREATE TABLE media_file (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  user_id BLOB NOT NULL CHECK (length(user_id) = 16),
  content_id BLOB NOT NULL REFERENCES media_content (id),
  content_hash BLOB NOT NULL CHECK (length(content_hash) = 32),
  filename TEXT NOT NULL,
  original_name TEXT,
  mime_type TEXT NOT NULL,
  size INTEGER NOT NULL CHECK (size >= 0),
  class TEXT NOT NULL CHECK (class IN ('image', 'video', 'audio', 'document', 'other')),
  visibility TEXT NOT NULL CHECK (visibility IN ('public', 'private')),
  status TEXT NOT NULL CHECK (status IN ('pending', 'ready', 'failed')),
  failure TEXT,
  rendered TEXT NOT NULL CHECK (rendered IN ('nothing', 'sizes', 'smaller', 'original')),
  attempts INTEGER NOT NULL CHECK (attempts >= 0),
  width INTEGER,
  height INTEGER,
  format TEXT,
  blur_placeholder TEXT,
  -- 0xRRGGBB.
  dominant_color INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  version INTEGER NOT NULL CHECK (version > 0)
) STRICT;
-- files_of.
CREATE INDEX media_file_user ON media_file (user_id, id);
-- public_files.
CREATE INDEX media_file_public ON media_file (id) WHERE visibility = 'public' AND status = 'ready';
-- pending_files: they are the queue of what is to be rendered.
CREATE INDEX media_file_pending ON media_file (id) WHERE status = 'pending';
-- files_with.
CREATE INDEX media_file_content ON media_file (content_id, visibility, id);

-- With what addresses of private files are signed, by every node. A new one is made where there is none; addresses under the old one end with it.
CREATE TABLE signing_key (
  only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
  key BLOB NOT NULL CHECK (length(key) = 32)
) STRICT;

-- What moderation's cases say of files, as their owner last heard it. Most were never flagged, and have no row here.
-- By primary key: whether a row is hidden, and hearing a verdict.
CREATE TABLE verdict (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  hidden INTEGER NOT NULL CHECK (hidden IN (0, 1)),
  case_version INTEGER NOT NULL CHECK (case_version > 0)
) STRICT, WITHOUT ROWID;
