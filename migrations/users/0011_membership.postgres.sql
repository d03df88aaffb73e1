-- Who is in the cluster, and who owns which slot. What these rows mean, and when they may change: cluster/src/statement.rs.

-- The version of all that is below. Every change locks this row first, so changes happen one after another; each raises it by one, and stamps the rows
-- that it touched with it (`moved`).
CREATE TABLE cluster_view (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  version bigint NOT NULL DEFAULT 0
);
INSERT INTO cluster_view DEFAULT VALUES;

-- A row for each life of a node, removed a while after its death. Whole, or what moved: reads of the view.
-- By primary key: renewals, once a second for each node. They change `counter` alone; room on the page keeps the next state of a row there (HOT).
CREATE TABLE cluster_node (
  boot uuid PRIMARY KEY,
  -- The version that its joining made, so the elder of two has the lower one.
  born bigint NOT NULL UNIQUE,
  edge boolean NOT NULL,
  entity boolean NOT NULL,
  media boolean NOT NULL,
  address text NOT NULL,
  -- It only ever goes forward in this list; the last three are deaths.
  status text NOT NULL CHECK (status IN ('joining', 'up', 'leaving', 'voted_out', 'expired', 'left')),
  counter bigint NOT NULL DEFAULT 0,
  round bigint NOT NULL DEFAULT 0,
  accuses uuid[] NOT NULL DEFAULT '{}',
  moved bigint NOT NULL
) WITH (fillfactor = 50);

-- Every slot has its row from the start. An owner's row stays for as long as it owns anything: without it nobody could tell that it is dead.
-- By primary key: claims and releases. Whole, or what moved: reads of the view.
CREATE TABLE cluster_slot (
  slot smallint PRIMARY KEY CHECK (slot BETWEEN 0 AND 4095),
  owner uuid REFERENCES cluster_node,
  epoch bigint NOT NULL DEFAULT 0 CHECK (epoch >= 0),
  moved bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
INSERT INTO cluster_slot (slot) SELECT slot FROM generate_series(0, 4095) AS slot;
