-- Grain: none; scalar macros. Chance by arithmetic alone (two multiplications of 32-bit words and a fold between them),
-- because an engine's own hash() or random() may change with its version. `draws.py` says the same in Python.
create macro low_word(number) as number & 4294967295::ubigint;

create macro folded(word) as xor(word, word >> 15);

create macro mixed(word) as low_word(folded(low_word(word * 2146121005::ubigint)) * 2221713035::ubigint);

-- A word of 32 bits that depends on the seed, the question (stream) and the record, and on nothing else.
create macro draw(stream, record) as mixed(
    xor(low_word(cast(record as ubigint)), getvariable('stream_words')[stream]::ubigint)
);

-- One of 0 … among - 1; `among` stays below 2^32.
create macro pick(stream, record, among) as cast((draw(stream, record) * among::ubigint) >> 32 as bigint);

-- One of 0 … among - 1, small numbers more often: the first hundredth of them gets a tenth of the picks.
create macro pick_popular(stream, record, among) as cast(
    (((draw(stream, record) * draw(stream, record)) >> 32) * among::ubigint) >> 32 as bigint
);

create macro is_one_in(stream, record, among) as pick(stream, record, among) = 0;
