-- Grain: one row per item of one export, as DynamoDB wrote it: every value a string within its type.
-- Names are those of the JSON; Athena takes them whatever their case. The place holds this export and nothing else.
create external table if not exists ${table} (
    Item struct<
        ${fields}
    >
)
row format serde 'org.openx.data.jsonserde.JsonSerDe'
location '${location}'
