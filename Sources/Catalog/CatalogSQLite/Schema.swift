import Catalog

/// The tables, as the list of steps that lead to them. A step that has shipped is never changed; new ones are added at
/// the end. `PRAGMA user_version` says how many a file has been through.
enum Schema {
    /// "VSTK": marks a SQLite file as a catalog of ours.
    private static let applicationID = 0x5653_544b

    static let steps = [tables, activity, journal, identities, space, jobs]

    /// Where nodes stand and what they can hold, for placement. `default` is the zone of nodes that name none.
    private static let space = """
        ALTER TABLE nodes ADD COLUMN zone TEXT NOT NULL DEFAULT 'default';
        ALTER TABLE nodes ADD COLUMN capacity_bytes INTEGER;
        ALTER TABLE nodes ADD COLUMN stored_bytes INTEGER;
        """

    /// The disks that nodes had, so that what was on a former one is not taken to be on the present one: 0 is a disk of
    /// which nothing is known. And what anybody changed, for whoever keeps something of it in memory.
    private static let identities = """
        CREATE TABLE disks (
            key INTEGER PRIMARY KEY,
            node_key INTEGER NOT NULL REFERENCES nodes (key),
            acceptor TEXT NOT NULL,
            UNIQUE (node_key, acceptor)
        ) STRICT;
        ALTER TABLE nodes ADD COLUMN disk_key INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE nodes ADD COLUMN proof_key BLOB;
        ALTER TABLE nodes ADD COLUMN impairment TEXT;
        ALTER TABLE group_members ADD COLUMN disk_key INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE replicas ADD COLUMN disk_key INTEGER NOT NULL DEFAULT 0;

        CREATE TABLE changes (
            number INTEGER PRIMARY KEY AUTOINCREMENT,  -- of two changes of a video, the last
            video_id TEXT NOT NULL UNIQUE
        ) STRICT;
        CREATE TRIGGER video_changed AFTER UPDATE OF title, status, duration_sec ON videos BEGIN
            DELETE FROM changes WHERE video_id = NEW.id;
            INSERT INTO changes (video_id) VALUES (NEW.id);
        END;
        CREATE TRIGGER stream_begun AFTER INSERT ON streams BEGIN
            DELETE FROM changes WHERE video_id = (SELECT id FROM videos WHERE key = NEW.video_key);
            INSERT INTO changes (video_id) SELECT id FROM videos WHERE key = NEW.video_key;
        END;
        CREATE TRIGGER stream_changed AFTER UPDATE ON streams BEGIN
            DELETE FROM changes WHERE video_id = (SELECT id FROM videos WHERE key = NEW.video_key);
            INSERT INTO changes (video_id) SELECT id FROM videos WHERE key = NEW.video_key;
        END;
        """

    /// The queue of work units, what they have made, and what attempts that came to nothing have left. `rungs` are labels
    /// parted by spaces; `lease_count` is kept with the leases so that the queue is one index.
    private static let jobs = """
        CREATE TABLE jobs (
            video_key INTEGER PRIMARY KEY REFERENCES videos (key) ON DELETE CASCADE,
            created_at INTEGER NOT NULL,
            is_stopped INTEGER NOT NULL DEFAULT 0,
            started_at INTEGER,
            finished_at INTEGER,
            encoded_sec REAL NOT NULL DEFAULT 0,
            encoding_sec REAL NOT NULL DEFAULT 0
        ) STRICT;

        CREATE TABLE units (
            key INTEGER PRIMARY KEY,
            video_key INTEGER NOT NULL REFERENCES jobs (video_key) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            kind TEXT NOT NULL,
            part INTEGER NOT NULL,
            segment_begin INTEGER NOT NULL,
            segment_end INTEGER NOT NULL,
            start_sec REAL NOT NULL,
            end_sec REAL NOT NULL,
            is_last INTEGER NOT NULL,
            rungs TEXT NOT NULL,
            priority INTEGER NOT NULL,
            state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done', 'failed')),
            winner INTEGER,  -- the token of the attempt that counts
            attempts INTEGER NOT NULL DEFAULT 0,
            last_token INTEGER NOT NULL DEFAULT 0,
            lease_count INTEGER NOT NULL DEFAULT 0,
            avoided TEXT NOT NULL DEFAULT '[]',
            last_error TEXT,
            UNIQUE (video_key, number)
        ) STRICT;
        CREATE INDEX units_waiting ON units (priority, key) WHERE state = 'open' AND lease_count = 0;

        CREATE TABLE leases (
            unit_key INTEGER NOT NULL REFERENCES units (key) ON DELETE CASCADE,
            token INTEGER NOT NULL,
            follower TEXT NOT NULL,
            granted_at INTEGER NOT NULL,
            renewed_at INTEGER NOT NULL,
            progress TEXT NOT NULL,
            PRIMARY KEY (unit_key, token)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX leases_by_renewal ON leases (renewed_at);
        CREATE INDEX leases_by_follower ON leases (follower);

        CREATE TABLE ladder (
            video_key INTEGER NOT NULL REFERENCES videos (key) ON DELETE CASCADE,
            label TEXT NOT NULL,
            kind TEXT NOT NULL,
            width INTEGER NOT NULL,
            height INTEGER NOT NULL,
            frame_rate REAL,
            codecs TEXT NOT NULL DEFAULT '',
            initialization BLOB,
            part_count INTEGER NOT NULL,
            PRIMARY KEY (video_key, label)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE rendition_parts (
            video_key INTEGER NOT NULL,
            label TEXT NOT NULL,
            number INTEGER NOT NULL,
            stream TEXT NOT NULL,
            initialization_bytes INTEGER NOT NULL,
            frame_count INTEGER NOT NULL,
            segments TEXT NOT NULL,
            PRIMARY KEY (video_key, label, number),
            FOREIGN KEY (video_key, label) REFERENCES ladder (video_key, label) ON DELETE CASCADE
        ) STRICT;

        CREATE TABLE discards (
            video_key INTEGER NOT NULL REFERENCES videos (key) ON DELETE CASCADE,
            stream TEXT NOT NULL,
            node_key INTEGER NOT NULL REFERENCES nodes (key),
            due_at INTEGER NOT NULL,
            PRIMARY KEY (video_key, stream, node_key)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX discards_of_node ON discards (node_key, due_at);

        CREATE TABLE followers (
            id TEXT PRIMARY KEY,
            last_seen INTEGER NOT NULL,
            accepted_count INTEGER NOT NULL DEFAULT 0,
            failed_count INTEGER NOT NULL DEFAULT 0,
            refused_count INTEGER NOT NULL DEFAULT 0
        ) STRICT, WITHOUT ROWID;
        """

    /// When an upload last gave a sign of life, and the few videos of which that is asked.
    private static let activity = """
        ALTER TABLE videos ADD COLUMN active_at INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX videos_uploading ON videos (key) WHERE status = 'uploading';
        """

    /// What of each video the storage nodes have (docs/formats/catalog-journal.md). Videos from before are due.
    private static let journal = """
        CREATE TABLE journal (
            video_key INTEGER PRIMARY KEY REFERENCES videos (key) ON DELETE CASCADE,
            revision INTEGER NOT NULL DEFAULT 1,
            urgency INTEGER NOT NULL DEFAULT 2,
            publication_revision INTEGER NOT NULL DEFAULT 0,
            publication_written INTEGER NOT NULL DEFAULT 0,
            is_marked INTEGER NOT NULL DEFAULT 0,  -- a majority knows that the video is deleted
            owns_first_ballot INTEGER NOT NULL DEFAULT 1
        ) STRICT;
        CREATE INDEX journal_due ON journal (video_key, urgency) WHERE urgency > 0;

        CREATE TABLE journal_streams (
            video_key INTEGER NOT NULL REFERENCES videos (key) ON DELETE CASCADE,
            stream TEXT NOT NULL,
            sequence_next INTEGER NOT NULL,
            newest_begin INTEGER NOT NULL DEFAULT 0,
            newest_end INTEGER NOT NULL DEFAULT 0,
            sequence_clean INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (video_key, stream)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE journal_lags (
            node_key INTEGER NOT NULL REFERENCES nodes (key),
            video_key INTEGER NOT NULL REFERENCES videos (key) ON DELETE CASCADE,
            stream TEXT NOT NULL,
            sequence_clean INTEGER NOT NULL,
            PRIMARY KEY (node_key, video_key, stream)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX journal_lags_of_video ON journal_lags (video_key);

        INSERT INTO journal (video_key, publication_revision)
            SELECT key, EXISTS (SELECT 1 FROM originals o WHERE o.video_key = key) FROM videos;
        """

    /// Refuses a file that is not ours, or newer than this program; changes nothing.
    /// - Returns: how many steps it has been through.
    @discardableResult
    static func check(_ connection: Connection, steps: [String]) throws(CatalogError) -> Int {
        let version = try pragma("user_version", connection)
        let application = try pragma("application_id", connection)
        let tables = try connection.row("SELECT count(*) FROM sqlite_schema") { $0.int(0) } ?? 0
        guard application == applicationID || (application == 0 && version == 0 && tables == 0) else {
            throw CatalogError(.corrupt, "it is a database of another program; choose another file")
        }
        guard version <= steps.count else {
            throw CatalogError(
                .newerSchema,
                "it was written by a newer V-Stack (schema \(version), this program knows up to \(steps.count)); "
                    + "upgrade this program")
        }
        return version
    }

    /// Brings the file to the last step, each in a transaction of its own.
    static func migrate(_ connection: Connection, steps: [String]) throws(CatalogError) {
        for next in try check(connection, steps: steps)..<steps.count {
            try connection.transaction { () throws(CatalogError) in
                // Another service that opens the same file may have taken the step meanwhile.
                guard try check(connection, steps: steps) == next else { return }
                try connection.script(steps[next])
                try connection.script("PRAGMA application_id = \(applicationID); PRAGMA user_version = \(next + 1)")
            }
        }
    }

    private static func pragma(_ name: String, _ connection: Connection) throws(CatalogError) -> Int {
        try connection.row("PRAGMA \(name)") { $0.int(0) } ?? 0
    }

    /// Integer keys keep the large tables (chunks, replicas) narrow; times are nanoseconds since 1970; `streams` are
    /// running totals kept in the transaction of each chunk, so that no list has to count; `segments` is a JSON array
    /// of `[offset, size, start, duration]` (docs/decisions/003-catalog-sqlite.md).
    private static let tables = """
        CREATE TABLE nodes (
            key INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            url TEXT NOT NULL,
            version TEXT NOT NULL,
            last_heartbeat INTEGER NOT NULL,
            disk_usage_percent REAL NOT NULL,
            chunk_count INTEGER NOT NULL,
            corrupt_chunks TEXT NOT NULL  -- ids parted by spaces
        ) STRICT;

        CREATE TABLE placement_groups (
            key INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE
        ) STRICT;

        CREATE TABLE group_members (
            group_key INTEGER NOT NULL REFERENCES placement_groups (key),
            node_key INTEGER NOT NULL REFERENCES nodes (key),
            PRIMARY KEY (group_key, node_key)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE videos (
            key INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            title TEXT NOT NULL,
            filename TEXT,
            duration_sec REAL NOT NULL,
            status TEXT NOT NULL CHECK (status IN ('uploading', 'active', 'failed', 'deleted')),
            error TEXT,
            group_key INTEGER NOT NULL REFERENCES placement_groups (key),
            creator INTEGER NOT NULL,
            created_at INTEGER NOT NULL,
            view_count INTEGER NOT NULL DEFAULT 0
        ) STRICT;
        CREATE INDEX videos_listed ON videos (created_at DESC, key DESC) WHERE status <> 'deleted';

        CREATE TABLE streams (
            video_key INTEGER NOT NULL REFERENCES videos (key) ON DELETE CASCADE,
            stream TEXT NOT NULL,
            chunk_count INTEGER NOT NULL,
            replica_count INTEGER NOT NULL,
            size_bytes INTEGER NOT NULL,
            sequence_end INTEGER NOT NULL,
            PRIMARY KEY (video_key, stream)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE chunks (
            key INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            video_key INTEGER NOT NULL REFERENCES videos (key) ON DELETE CASCADE,
            stream TEXT NOT NULL,
            sequence INTEGER NOT NULL CHECK (sequence >= 0),
            size_bytes INTEGER NOT NULL CHECK (size_bytes > 0),
            checksum BLOB NOT NULL CHECK (length(checksum) = 32),
            redundancy_mode TEXT NOT NULL,
            start_sec REAL NOT NULL,
            duration_sec REAL NOT NULL,
            UNIQUE (video_key, stream, sequence)
        ) STRICT;

        CREATE TABLE replicas (
            chunk_key INTEGER NOT NULL REFERENCES chunks (key) ON DELETE CASCADE,
            node_key INTEGER NOT NULL REFERENCES nodes (key),
            PRIMARY KEY (chunk_key, node_key)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE originals (
            video_key INTEGER PRIMARY KEY REFERENCES videos (key) ON DELETE CASCADE,
            filename TEXT NOT NULL,
            content_type TEXT NOT NULL,
            size_bytes INTEGER NOT NULL,
            checksum BLOB NOT NULL CHECK (length(checksum) = 32),
            width INTEGER NOT NULL,
            height INTEGER NOT NULL,
            quality_label TEXT NOT NULL
        ) STRICT;

        CREATE TABLE renditions (
            video_key INTEGER NOT NULL REFERENCES videos (key) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            stream TEXT NOT NULL,
            width INTEGER NOT NULL,
            height INTEGER NOT NULL,
            codecs TEXT NOT NULL,
            frame_rate REAL,
            bandwidth INTEGER NOT NULL,
            average_bandwidth INTEGER NOT NULL,
            initialization_bytes INTEGER NOT NULL,
            segments TEXT NOT NULL,
            PRIMARY KEY (video_key, position)
        ) STRICT;

        CREATE TABLE deletions (
            video_key INTEGER NOT NULL REFERENCES videos (key) ON DELETE CASCADE,
            node_key INTEGER NOT NULL REFERENCES nodes (key),
            chunk_key_done INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (video_key, node_key)
        ) STRICT, WITHOUT ROWID;
        """
}
