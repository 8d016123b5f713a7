/* A prototype: type the records of order items strictly, in one pass over a file's bytes.
 *
 * It reads the usual form only: no quotes, identifiers and times as Takings' contract writes them. A record that leaves this form is
 * counted, not read: a product would hand it to the exact reader. Every record that it does read has passed the tests that typing.py makes:
 * ten fields, no leading zero or sign, real dates, at most two decimals, a listed status.
 *
 *     kernel FILE...    prints records read, records left, and processor seconds for a million of them
 */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { COLUMNS = 10, SHORTEST_RECORD = 20, PADDING = 64 };

/* Each reader returns where the field ends, or NULL where it leaves the usual form. */
static const char *read_identifier(const char *at, int64_t *value) {
    const char *start = at;
    uint64_t number = 0;
    while ((unsigned)(*at - '0') < 10) number = number * 10 + (uint64_t)(*at++ - '0');
    if (at == start || at - start > 18 || (*start == '0' && at - start > 1)) return NULL;
    *value = (int64_t)number;
    return at;
}

static int two_digits(const char *at, int *ok) {
    unsigned tens = (unsigned)(at[0] - '0'), ones = (unsigned)(at[1] - '0');
    *ok &= tens < 10 && ones < 10;
    return (int)(tens * 10 + ones);
}

/* YYYY-MM-DDTHH:MM:SS as microseconds since 1970; an empty field is unknown. */
static const char *read_time(const char *at, int64_t *value) {
    static const int before[] = {0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    static const int lengths[] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (*at == ',') {
        *value = INT64_MIN;
        return at;
    }
    int ok = at[4] == '-' && at[7] == '-' && at[10] == 'T' && at[13] == ':' && at[16] == ':';
    int year = two_digits(at, &ok) * 100 + two_digits(at + 2, &ok), month = two_digits(at + 5, &ok), day = two_digits(at + 8, &ok);
    int hour = two_digits(at + 11, &ok), minute = two_digits(at + 14, &ok), second = two_digits(at + 17, &ok);
    if (!ok || year < 1 || month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59) return NULL;
    int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (day < 1 || day > lengths[month] + (leap && month == 2)) return NULL;
    int64_t past = year - 1;
    int64_t days = past * 365 + past / 4 - past / 100 + past / 400 + before[month] + (leap && month > 2) + day - 719163;
    *value = (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000000;
    return at + 19;
}

static const char *read_price(const char *at, int64_t *cents) {
    const char *start = at;
    uint64_t number = 0;
    int decimals = 0;
    while ((unsigned)(*at - '0') < 10) number = number * 10 + (uint64_t)(*at++ - '0');
    if (at == start || at - start > 10) return NULL;
    if (*at == '.') {
        for (at++; (unsigned)(*at - '0') < 10; decimals++) number = number * 10 + (uint64_t)(*at++ - '0');
        if (decimals == 0 || decimals > 2) return NULL;
    }
    for (; decimals < 2; decimals++) number *= 10;
    *cents = (int64_t)number;
    return at;
}

static const char *read_status(const char *at, int64_t *code) {
    static const char *const values[] = {"shipped", "delivered", "cancelled", "returned", "processing", "pending", "confirmed"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        size_t length = strlen(values[i]);
        if (!memcmp(at, values[i], length) && at[length] == ',') {
            *code = (int64_t)i;
            return at + length;
        }
    }
    return NULL;
}

static const char *read_record(const char *at, int64_t *columns[COLUMNS], long row) {
    for (int column = 0; column < COLUMNS; column++) {
        int64_t *value = &columns[column][row];
        at = column < 4 ? read_identifier(at, value) : column == 4 ? read_status(at, value) : column < 9 ? read_time(at, value) : read_price(at, value);
        if (!at || (column < COLUMNS - 1 && *at++ != ',')) return NULL;
    }
    at += *at == '\r';
    return *at == '\n' ? at + 1 : NULL;
}

static double processor_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int count, char **names) {
    long read_rows = 0, left = 0;
    double seconds = 0;
    for (int file = 1; file < count; file++) {
        struct stat about;
        int descriptor = open(names[file], O_RDONLY);
        if (descriptor < 0 || fstat(descriptor, &about)) return perror(names[file]), 1;
        size_t size = (size_t)about.st_size;
        char *bytes = calloc(size + PADDING, 1);
        for (size_t got = 0; got < size;) {
            ssize_t more = read(descriptor, bytes + got, size - got);
            if (more <= 0) return perror(names[file]), 1;
            got += (size_t)more;
        }
        close(descriptor);
        int64_t *columns[COLUMNS];
        for (int column = 0; column < COLUMNS; column++) columns[column] = malloc((size / SHORTEST_RECORD + 1) * sizeof(int64_t));
        double began = processor_seconds();
        const char *end = bytes + size, *at = memchr(bytes, '\n', size);
        long rows = 0;
        for (at = at ? at + 1 : end; at < end;) {
            const char *next = read_record(at, columns, rows);
            if (next) {
                rows++;
            } else {
                left++;
                next = memchr(at, '\n', (size_t)(end - at));
                next = next ? next + 1 : end;
            }
            at = next;
        }
        seconds += processor_seconds() - began;
        read_rows += rows;
        for (int column = 0; column < COLUMNS; column++) free(columns[column]);
        free(bytes);
    }
    printf("%ld %ld %.4f\n", read_rows, left, read_rows ? seconds / (double)read_rows * 1e6 : 0.0);
    return 0;
}
