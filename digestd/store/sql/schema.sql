-- The store, whole. Times are Unix milliseconds UTC, except dates of papers (ISO text).
-- Uniqueness constraints carry the promises; each says which race it closes.

CREATE TABLE secret (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- One row: which state of the store this is. The mark beside the database names it too (store/mark.py).
CREATE TABLE instance (
    one   INTEGER PRIMARY KEY DEFAULT 1 CHECK (one = 1),
    token TEXT NOT NULL
) STRICT;

CREATE TABLE digest_file (
    pk          INTEGER PRIMARY KEY,
    sha256      TEXT NOT NULL UNIQUE,  -- two processes take the same content at once: the second one loses
    name        TEXT NOT NULL,
    format      TEXT NOT NULL,
    size        INTEGER NOT NULL,
    ingested_at INTEGER NOT NULL,
    papers      INTEGER NOT NULL,
    new         INTEGER NOT NULL,
    revised     INTEGER NOT NULL,
    duplicate   INTEGER NOT NULL,
    bad         INTEGER NOT NULL
) STRICT;

-- A work. `pk` is the order of arrival and never used twice; horizons count along it, so that a clock that
-- steps back hides nothing. `same_as` is the older work that this one turned out to be: it stands for both from then on.
CREATE TABLE paper (
    pk          INTEGER PRIMARY KEY AUTOINCREMENT,
    revision    INTEGER NOT NULL REFERENCES revision,  -- not deferred: SQLite would then scan papers at each revision
    ingested_at INTEGER NOT NULL,
    same_as     INTEGER REFERENCES paper CHECK (same_as < pk)
) STRICT;
CREATE INDEX paper_ingested_at ON paper (ingested_at);
CREATE INDEX paper_same_as ON paper (same_as) WHERE same_as IS NOT NULL;

-- Every key a work is known by: its ids, and its title key. One work a key, whatever the source.
CREATE TABLE paper_key (
    key   TEXT PRIMARY KEY,
    paper INTEGER NOT NULL REFERENCES paper
) STRICT, WITHOUT ROWID;
CREATE INDEX paper_key_paper ON paper_key (paper);

-- What a work said at one time. Never changed: an edition points at the one it was composed from.
CREATE TABLE revision (
    pk          INTEGER PRIMARY KEY,
    paper       INTEGER NOT NULL REFERENCES paper DEFERRABLE INITIALLY DEFERRED,  -- the first one stands before it
    digest_file INTEGER NOT NULL REFERENCES digest_file,
    id          TEXT NOT NULL,  -- the work's id as known then
    title       TEXT NOT NULL,
    authors     TEXT NOT NULL,  -- JSON array
    abstract    TEXT,
    url         TEXT,
    published   TEXT,
    categories  TEXT NOT NULL,  -- JSON array
    source      TEXT NOT NULL,
    version     INTEGER,
    votes       INTEGER,
    details     TEXT NOT NULL DEFAULT '{}'  -- JSON object: comments, links, other ids
) STRICT;
CREATE INDEX revision_paper ON revision (paper);

-- What is remembered of a source between two fetches, so that a restart asks nobody again.
CREATE TABLE source (
    name       TEXT PRIMARY KEY,
    address    TEXT NOT NULL,
    etag       TEXT NOT NULL,
    modified   TEXT NOT NULL,  -- the Last-Modified it told, word by word
    sha256     TEXT NOT NULL,  -- of what it answered last
    checked_at INTEGER NOT NULL,
    next_at    INTEGER NOT NULL,
    failures   INTEGER NOT NULL,  -- in a row
    said       TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- With which version of the program every search word here was read last; a newer one may read some no longer.
CREATE TABLE grammar (
    one  INTEGER PRIMARY KEY DEFAULT 1 CHECK (one = 1),
    name TEXT NOT NULL
) STRICT;

-- What the operator was told of, so that a restart does not tell it again.
CREATE TABLE told (
    key      TEXT PRIMARY KEY,
    sentence TEXT NOT NULL,
    told_at  INTEGER NOT NULL,
    lasts    INTEGER NOT NULL CHECK (lasts IN (0, 1))  -- until the operator is told that it is over
) STRICT, WITHOUT ROWID;

CREATE TABLE subscriber (
    pk         INTEGER PRIMARY KEY AUTOINCREMENT,
    address    TEXT NOT NULL UNIQUE,  -- case-folded: one person, one row, however the address is written
    email      TEXT NOT NULL,
    name       TEXT NOT NULL,
    timezone   TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('pending', 'active', 'paused', 'unsubscribed', 'suppressed')),
    state_by   TEXT NOT NULL CHECK (state_by IN ('file', 'operator', 'reader')),
    origin     TEXT NOT NULL CHECK (origin IN ('file', 'operator', 'reader')),
    left_at    INTEGER,  -- when this person asked to leave, whatever the state says beside it; they alone undo it
    quiet_hours  TEXT NOT NULL DEFAULT '',  -- 22:00-07:00, local
    paused_until INTEGER,                   -- when a pause ends by itself
    changed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX subscriber_of_file ON subscriber (pk) WHERE origin = 'file';
CREATE INDEX subscriber_paused_until ON subscriber (paused_until) WHERE state = 'paused' AND paused_until IS NOT NULL;

-- The content of a profile, shared by all who have the same and never changed.
CREATE TABLE spec (
    pk      INTEGER PRIMARY KEY,
    digest  INTEGER NOT NULL,  -- of the content, to find it by: an index of contents would be as large as they are
    content TEXT NOT NULL  -- JSON
) STRICT;
CREATE INDEX spec_digest ON spec (digest);

CREATE TABLE profile (
    pk         INTEGER PRIMARY KEY AUTOINCREMENT,
    subscriber INTEGER NOT NULL REFERENCES subscriber,
    name       TEXT NOT NULL,
    spec       INTEGER NOT NULL REFERENCES spec,
    position   INTEGER NOT NULL,
    active     INTEGER NOT NULL CHECK (active IN (0, 1)),
    UNIQUE (subscriber, name)
) STRICT;
-- Who follows a content, and which contents anybody follows: without it each look would read all profiles.
CREATE INDEX profile_spec ON profile (spec) WHERE active = 1;

-- How far each cadence of a profile has come: the last issue composed, the newest paper it looked at, and when
-- the next one is due (0: at once; NULL for `immediate` that nothing holds: it waits for papers and not for an hour).
-- `wanted` is 1 while profile and subscriber are active: those who rest stand in no index, so that a tick costs as
-- much as is due, however many people paused long ago. Triggers keep it true whoever changes a state.
CREATE TABLE progress (
    profile INTEGER NOT NULL REFERENCES profile,
    cadence TEXT NOT NULL CHECK (cadence IN ('immediate', 'daily', 'weekly')),
    issue   TEXT,
    horizon INTEGER,
    due_at  INTEGER,
    wanted  INTEGER NOT NULL CHECK (wanted IN (0, 1)),
    PRIMARY KEY (profile, cadence)
) STRICT, WITHOUT ROWID;
CREATE INDEX progress_due_at ON progress (due_at) WHERE wanted = 1 AND due_at IS NOT NULL;
CREATE INDEX progress_horizon ON progress (coalesce(horizon, -1)) WHERE wanted = 1 AND due_at IS NULL;
CREATE TRIGGER progress_follows_subscriber AFTER UPDATE OF state ON subscriber
WHEN (old.state = 'active') != (new.state = 'active')
BEGIN
    UPDATE progress SET wanted = (new.state = 'active' AND (SELECT active FROM profile WHERE pk = progress.profile))
    WHERE profile IN (SELECT pk FROM profile WHERE subscriber = new.pk);
END;
CREATE TRIGGER progress_follows_profile AFTER UPDATE OF active ON profile WHEN old.active != new.active
BEGIN
    UPDATE progress
    SET wanted = (new.active AND (SELECT state = 'active' FROM subscriber WHERE pk = new.subscriber))
    WHERE profile = new.pk;
END;

-- Templates and sender by content hash, so that a second rendering is the same to the byte.
CREATE TABLE snapshot (
    sha256  TEXT PRIMARY KEY,
    content TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE edition (
    pk          INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    subscriber  INTEGER NOT NULL REFERENCES subscriber,
    issue       TEXT NOT NULL,
    cadence     TEXT NOT NULL,
    kind        TEXT NOT NULL DEFAULT 'digest' CHECK (kind IN ('digest', 'confirm', 'welcome', 'notice', 'mistake')),
    letter      TEXT,  -- JSON: what a mail says that carries no digest
    composed_at INTEGER NOT NULL,
    considered  INTEGER NOT NULL,
    already     TEXT,     -- JSON array: revisions of papers that were sent as alerts, where digests list them
    quiet_since INTEGER,  -- when the last paper came, if that was long before
    snapshot    TEXT NOT NULL REFERENCES snapshot,
    email       TEXT NOT NULL,  -- as they were: a retry does not follow a later change of the name
    name        TEXT NOT NULL,
    timezone    TEXT NOT NULL
) STRICT;
CREATE INDEX edition_subscriber ON edition (subscriber, composed_at);

CREATE TABLE edition_profile (
    profile  INTEGER NOT NULL REFERENCES profile,
    issue    TEXT NOT NULL,
    edition  INTEGER NOT NULL REFERENCES edition,
    position INTEGER NOT NULL,
    name     TEXT NOT NULL,
    spec     INTEGER NOT NULL REFERENCES spec,
    matched  INTEGER NOT NULL,
    looked   INTEGER NOT NULL,
    hits     TEXT NOT NULL,  -- JSON object: of how many of the papers looked at each query hits
    -- Papers it hits that are not in it: under min_score, excluded, sent as alerts, told by another profile.
    below     INTEGER NOT NULL,
    excluded  INTEGER NOT NULL,
    alerted   INTEGER NOT NULL,
    elsewhere INTEGER NOT NULL,
    PRIMARY KEY (profile, issue)  -- two publishers compose the same issue at once: the second one loses
) STRICT, WITHOUT ROWID;
CREATE INDEX edition_profile_edition ON edition_profile (edition);

CREATE TABLE edition_paper (
    subscriber INTEGER NOT NULL REFERENCES subscriber,
    paper      INTEGER NOT NULL REFERENCES paper,
    edition    INTEGER NOT NULL REFERENCES edition,
    profile    INTEGER NOT NULL REFERENCES profile,
    position   INTEGER NOT NULL,
    revision   INTEGER NOT NULL REFERENCES revision,
    place      TEXT NOT NULL CHECK (place IN ('card', 'title', 'folded')),
    score      REAL NOT NULL,
    standing   REAL NOT NULL,
    queries    TEXT NOT NULL,  -- JSON array of the query texts that hit
    moved      TEXT NOT NULL DEFAULT '',  -- JSON: the words that moved it, each with its weight; mostly none
    PRIMARY KEY (subscriber, paper)  -- never a paper twice for one subscriber
) STRICT, WITHOUT ROWID;
CREATE INDEX edition_paper_edition ON edition_paper (edition, position);

-- What a reader said of a paper that they were sent: more like it, or less.
CREATE TABLE opinion (
    subscriber INTEGER NOT NULL REFERENCES subscriber,
    paper      INTEGER NOT NULL REFERENCES paper,
    wish       INTEGER NOT NULL CHECK (wish IN (-1, 1)),
    said_at    INTEGER NOT NULL,
    PRIMARY KEY (subscriber, paper)  -- one opinion, however often it is said
) STRICT, WITHOUT ROWID;

-- What all opinions of a reader come to, made anew with each; and whether it may move the order of their papers.
CREATE TABLE leaning (
    subscriber INTEGER PRIMARY KEY REFERENCES subscriber,
    active     INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
    terms      TEXT NOT NULL DEFAULT '[]',  -- JSON array: key, word and weight of each
    learned_at INTEGER NOT NULL
) STRICT;

-- What was asked for on the subscribe page. It becomes a profile when the owner of the address says so, once.
CREATE TABLE signup (
    pk           INTEGER PRIMARY KEY AUTOINCREMENT,
    subscriber   INTEGER NOT NULL REFERENCES subscriber,
    mailbox      TEXT NOT NULL,  -- where its mail arrives: `a+b@` and `a@` are one mailbox, and share the limits
    domain       TEXT NOT NULL,
    network      TEXT NOT NULL,
    name         TEXT NOT NULL,
    spec         INTEGER NOT NULL REFERENCES spec,
    asked_at     INTEGER NOT NULL,
    confirmed_at INTEGER,
    refused_at   INTEGER  -- "do not ask me again"
) STRICT;
CREATE INDEX signup_unanswered ON signup (asked_at)
WHERE confirmed_at IS NULL AND refused_at IS NULL AND mailbox != '';
CREATE INDEX signup_mailbox ON signup (mailbox, asked_at);
CREATE INDEX signup_network ON signup (network, asked_at);
CREATE INDEX signup_domain ON signup (domain, asked_at);
CREATE INDEX signup_asked_at ON signup (asked_at);
CREATE INDEX signup_subscriber ON signup (subscriber);

-- Editions waiting to be sent, written in the same transaction as the edition.
CREATE TABLE outbox (
    edition    INTEGER PRIMARY KEY REFERENCES edition,
    state      TEXT NOT NULL
               CHECK (state IN ('ready', 'claimed', 'sending', 'sent', 'failed', 'uncertain', 'cancelled')),
    not_before INTEGER NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    crashes    INTEGER NOT NULL DEFAULT 0,  -- with it alone in hand, and one more; 0 is no suspect
    claimed_by TEXT,  -- while claimed or sending
    sha256     TEXT,  -- of the bytes that were sent, or begun to be sent
    reason     TEXT NOT NULL DEFAULT '',
    changed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_ready ON outbox (not_before) WHERE state = 'ready';
CREATE INDEX outbox_suspect ON outbox (crashes) WHERE state = 'ready' AND crashes > 0;
-- Those in hand, claimed or sending: a handful. Without it, looking for what a crash left would read the whole outbox.
CREATE INDEX outbox_in_hand ON outbox (claimed_by) WHERE claimed_by IS NOT NULL;

-- The append-only record of every attempt and settlement.
CREATE TABLE ledger (
    pk      INTEGER PRIMARY KEY,
    edition INTEGER NOT NULL REFERENCES edition,
    at      INTEGER NOT NULL,
    state   TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    phase   TEXT,
    code    INTEGER,
    reply   TEXT NOT NULL
) STRICT;
CREATE INDEX ledger_edition ON ledger (edition);
CREATE TRIGGER ledger_keeps_its_rows BEFORE DELETE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_keeps_its_words BEFORE UPDATE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
