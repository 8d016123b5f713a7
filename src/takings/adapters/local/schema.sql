-- The local ledger. Instants are microseconds since 1970-01-01 UTC.
create table if not exists ProcessedFiles (
    file_key text not null,
    processing_date integer not null,
    status text not null,
    batch_id text not null,
    dataset text not null,
    size integer not null,
    etag text not null,
    version integer not null,
    fingerprint text,
    verdict text,
    records_read integer,
    records_accepted integer,
    records_rejected integer,
    identical_duplicates integer,
    reason text,
    archived_at text,
    primary key (file_key, processing_date)
) without rowid;
create index if not exists processed_files_by_fingerprint on ProcessedFiles (fingerprint);
create index if not exists processed_files_by_batch on ProcessedFiles (batch_id);

create table if not exists PendingBatches (
    bucket_name text primary key,
    generation integer not null,
    state text not null,
    deadline integer,
    pending text not null,
    batch_id text,
    attempt integer not null,
    owner text,
    lease_expires_at integer,
    reason text,
    reading text,
    suspects text not null,
    left_files text not null default '[]',
    last_commit integer not null,
    landed text not null,
    own_tables text not null default '{}'
) without rowid;

-- KPI tables of the shop's own: one row per table and key. `grain` (the key without its day) and `kpis` are JSON.
create table if not exists OwnKPIs (
    kpi_table text not null,
    order_date text not null,
    grain text not null,
    kpis text not null,
    row_count integer not null,
    "commit" integer not null,
    batch_id text not null,
    computed_at integer not null,
    definition text not null,
    primary key (kpi_table, order_date, grain)
) without rowid;
