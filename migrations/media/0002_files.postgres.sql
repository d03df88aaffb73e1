-- Files that people upload. Their bytes are in object storage, under the names that their content's hash makes.

-- Content that is kept in object storage, once however many files have it. A row is here before an object is. Its id is made of its hash.
-- By primary key: hold, and the count of every file that comes or goes.
CREATE TABLE media_content (
  id uuid PRIMARY KEY,
  hash bytea NOT NULL CHECK (length(hash) = 32),
  -- With the hash the prefix of its objects' names. The same content, when it comes back after it was condemned, is in another one.
  folder uuid NOT NULL,
  files bigint NOT NULL CHECK (files >= 0),
  touched_at timestamptz(3) NOT NULL
) WITH (fillfactor = 70);
-- condemn: what no file has.
CREATE INDEX media_content_unused ON media_content (touched_at, id) WHERE files = 0;

-- Folders whose objects are to be removed; a row goes after them. Nobody will look into such a folder, and nothing is put into it any more.
-- In the order of its primary key, up to a limit: condemned.
CREATE TABLE media_condemned (
  folder uuid PRIMARY KEY,
  hash bytea NOT NULL CHECK (length(hash) = 32)
);

-- By primary key: file, and the compare-and-set of every write to a file.
CREATE TABLE media_file (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL,
  content_id uuid NOT NULL REFERENCES media_content (id),
  content_hash bytea NOT NULL CHECK (length(content_hash) = 32),
  filename text NOT NULL,
  original_name text,
  mime_type text NOT NULL,
  size bigint NOT NULL CHECK (size >= 0),
  class text NOT NULL CHECK (class IN ('image', 'video', 'audio', 'document', 'other')),
  visibility text COLLATE "C" NOT NULL CHECK (visibility IN ('public', 'private')),
  status text NOT NULL CHECK (status IN ('pending', 'ready', 'failed')),
  failure text,
  rendered text NOT NULL CHECK (rendered IN ('nothing', 'sizes', 'smaller', 'original')),
  attempts bigint NOT NULL CHECK (attempts >= 0),
  width bigint,
  height bigint,
  format text,
  blur_placeholder text,
  -- 0xRRGGBB.
  dominant_color bigint,
  created_at timestamptz(3) NOT NULL,
  updated_at timestamptz(3) NOT NULL,
  version bigint NOT NULL CHECK (version > 0)
);
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
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  key bytea NOT NULL CHECK (length(key) = 32)
);

-- What moderation's cases say of files, as their owner last heard it. Most were never flagged, and have no row here.
-- By primary key: whether a row is hidden, and hearing a verdict.
CREATE TABLE verdict (
  id uuid PRIMARY KEY,
  hidden boolean NOT NULL,
  case_version bigint NOT NULL CHECK (case_version > 0)
);
