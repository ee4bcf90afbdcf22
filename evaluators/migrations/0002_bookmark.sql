-- Where a replay of a book by a bundle may begin: what all snapshots up to `ts` leave to the next one.
-- It can be worked out anew at any time; one that is damaged, or made by other code (`maker`), does not count.
CREATE TABLE log.bookmark (
    book VARCHAR NOT NULL,
    bundle VARCHAR NOT NULL,
    ts TIMESTAMP NOT NULL,
    maker VARCHAR NOT NULL,
    leaves VARCHAR NOT NULL,
    digest VARCHAR NOT NULL
);
