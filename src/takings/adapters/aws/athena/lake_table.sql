-- Grain: one row per primary key. Athena reads columns and partitions from the log of the Delta table.
create external table if not exists ${table}
location '${location}'
tblproperties ('table_type' = 'DELTA')
