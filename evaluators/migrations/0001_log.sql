-- Beside the tables of state, which follow the fact catalogue, the store keeps what was decided and by which rules.

-- What each column of state counted when it was made: a change of unit would silently change its meaning.
CREATE TABLE log.fact_column (
    table_name VARCHAR NOT NULL,
    column_name VARCHAR NOT NULL,
    meaning VARCHAR NOT NULL
);

-- One decision a bundle, book and time. The values are JSON, in quanta and ranks, so that a replay compares exactly.
CREATE TABLE log.decision (
    id BIGINT NOT NULL,
    bundle VARCHAR NOT NULL,
    book VARCHAR NOT NULL,
    ts TIMESTAMP NOT NULL,
    outputs VARCHAR NOT NULL,
    firings VARCHAR NOT NULL,
    would_be VARCHAR NOT NULL,
    observed VARCHAR NOT NULL
);

-- The files of a bundle by name, as a JSON object.
CREATE TABLE log.bundle (
    hash VARCHAR NOT NULL,
    files VARCHAR NOT NULL
);

-- Which bundle was put in force, when, by whom and why; the newest row is in force.
CREATE TABLE log.activation (
    number BIGINT NOT NULL,
    bundle VARCHAR NOT NULL,
    activated_at TIMESTAMP NOT NULL,
    person VARCHAR NOT NULL,
    reason VARCHAR NOT NULL
);
