//! The functions of MySQL and MariaDB, by what a call of them does.

/// What calling a function does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FunctionClass {
    /// Nothing but compute, or no function at all: `IN (`, `VALUES (`.
    Harmless,
    NamedLock,
    Diagnostics,
    LastInsertId,
    Acts,
    /// Perhaps a stored one.
    Unknown,
}

/// The class of a name in upper case that stands before an opening parenthesis.
pub(crate) fn class(name: &[u8]) -> FunctionClass {
    match name {
        b"GET_LOCK" | b"RELEASE_LOCK" | b"RELEASE_ALL_LOCKS" | b"IS_FREE_LOCK"
        | b"IS_USED_LOCK" => FunctionClass::NamedLock,
        b"FOUND_ROWS" | b"ROW_COUNT" => FunctionClass::Diagnostics,
        b"LAST_INSERT_ID" => FunctionClass::LastInsertId,
        b"SLEEP" | b"BENCHMARK" | b"UUID_SHORT" | b"NEXTVAL" | b"SETVAL" | b"LASTVAL"
        | b"LOAD_FILE" | b"MASTER_POS_WAIT" | b"SOURCE_POS_WAIT" | b"MASTER_GTID_WAIT"
        | b"WAIT_FOR_EXECUTED_GTID_SET" | b"WAIT_UNTIL_SQL_THREAD_AFTER_GTIDS"
        | b"CONNECTION_ID" => FunctionClass::Acts,
        _ if HARMLESS.binary_search(&name).is_ok() => FunctionClass::Harmless,
        _ => FunctionClass::Unknown,
    }
}

/// Keywords and functions that only compute. Sorted.
const HARMLESS: &[&[u8]] = &[
    b"ABS", b"ACOS", b"ADDDATE", b"ADDTIME", b"ADD_MONTHS", b"AES_DECRYPT", b"AES_ENCRYPT",
    b"AGAINST", b"ALL", b"AND", b"ANY", b"ANY_VALUE", b"AS", b"ASCII", b"ASIN", b"ATAN", b"ATAN2",
    b"AVG", b"BETWEEN", b"BIGINT", b"BIN", b"BINARY", b"BIN_TO_UUID", b"BIT_AND", b"BIT_COUNT",
    b"BIT_LENGTH", b"BIT_OR", b"BIT_XOR", b"BY", b"CASE", b"CAST", b"CEIL", b"CEILING", b"CHAR",
    b"CHARACTER_LENGTH", b"CHARSET", b"CHAR_LENGTH", b"CHR", b"COALESCE", b"COERCIBILITY",
    b"COLLATION", b"COLUMN_GET", b"COLUMN_JSON", b"COLUMN_LIST", b"COMPRESS", b"CONCAT",
    b"CONCAT_WS", b"CONV", b"CONVERT", b"CONVERT_TZ", b"COS", b"COT", b"COUNT", b"CRC32", b"CUBE",
    b"CUME_DIST", b"CURDATE", b"CURRENT_DATE", b"CURRENT_ROLE", b"CURRENT_TIME",
    b"CURRENT_TIMESTAMP", b"CURRENT_USER", b"CURTIME", b"DATABASE", b"DATE", b"DATEDIFF",
    b"DATETIME", b"DATE_ADD", b"DATE_FORMAT", b"DATE_SUB", b"DAY", b"DAYNAME", b"DAYOFMONTH",
    b"DAYOFWEEK", b"DAYOFYEAR", b"DEC", b"DECIMAL", b"DECODE", b"DEFAULT", b"DEGREES",
    b"DENSE_RANK", b"DISTINCT", b"DIV", b"DOUBLE", b"ELSE", b"ELT", b"ENCODE", b"EXCEPT", b"EXISTS",
    b"EXP", b"EXPORT_SET", b"EXTRACT", b"EXTRACTVALUE", b"FIELD", b"FIND_IN_SET", b"FIRST_VALUE",
    b"FLOAT", b"FLOOR", b"FORMAT", b"FORMAT_BYTES", b"FORMAT_PICO_TIME", b"FROM", b"FROM_BASE64",
    b"FROM_DAYS", b"FROM_UNIXTIME", b"GEOMETRYCOLLECTION", b"GREATEST", b"GROUPING",
    b"GROUP_CONCAT", b"HAVING", b"HEX", b"HOUR", b"IF", b"IFNULL", b"IN", b"INDEX", b"INET6_ATON",
    b"INET6_NTOA", b"INET_ATON", b"INET_NTOA", b"INSERT", b"INSTR", b"INT", b"INTEGER",
    b"INTERSECT", b"INTERVAL", b"IS", b"ISNULL", b"IS_IPV4", b"IS_IPV4_COMPAT", b"IS_IPV4_MAPPED",
    b"IS_IPV6", b"IS_UUID", b"JOIN", b"JSON_ARRAY", b"JSON_ARRAYAGG", b"JSON_ARRAY_APPEND",
    b"JSON_ARRAY_INSERT", b"JSON_COMPACT", b"JSON_CONTAINS", b"JSON_CONTAINS_PATH", b"JSON_DEPTH",
    b"JSON_DETAILED", b"JSON_EQUALS", b"JSON_EXISTS", b"JSON_EXTRACT", b"JSON_INSERT", b"JSON_KEYS",
    b"JSON_LENGTH", b"JSON_LOOSE", b"JSON_MERGE", b"JSON_MERGE_PATCH", b"JSON_MERGE_PRESERVE",
    b"JSON_NORMALIZE", b"JSON_OBJECT", b"JSON_OBJECTAGG", b"JSON_OVERLAPS", b"JSON_PRETTY",
    b"JSON_QUERY", b"JSON_QUOTE", b"JSON_REMOVE", b"JSON_REPLACE", b"JSON_SEARCH", b"JSON_SET",
    b"JSON_STORAGE_SIZE", b"JSON_TABLE", b"JSON_TYPE", b"JSON_UNQUOTE", b"JSON_VALID",
    b"JSON_VALUE", b"KEY", b"LAG", b"LAST_DAY", b"LAST_VALUE", b"LATERAL", b"LCASE", b"LEAD",
    b"LEAST", b"LEFT", b"LENGTH", b"LENGTHB", b"LIKE", b"LIMIT", b"LINESTRING", b"LN", b"LOCALTIME",
    b"LOCALTIMESTAMP", b"LOCATE", b"LOG", b"LOG10", b"LOG2", b"LOWER", b"LPAD", b"LTRIM",
    b"MAKEDATE", b"MAKETIME", b"MAKE_SET", b"MATCH", b"MAX", b"MD5", b"MEDIAN", b"MEMBER",
    b"MICROSECOND", b"MID", b"MIN", b"MINUTE", b"MOD", b"MONTH", b"MONTHNAME", b"NAME_CONST",
    b"NATURAL_SORT_KEY", b"NCHAR", b"NOT", b"NOW", b"NTH_VALUE", b"NTILE", b"NULLIF", b"NUMERIC",
    b"NVL", b"NVL2", b"OCT", b"OCTET_LENGTH", b"OF", b"ON", b"OR", b"ORD", b"OVER", b"PARTITION",
    b"PERCENTILE_CONT", b"PERCENTILE_DISC", b"PERCENT_RANK", b"PERIOD_ADD", b"PERIOD_DIFF", b"PI",
    b"POINT", b"POLYGON", b"POSITION", b"POW", b"POWER", b"QUARTER", b"QUOTE", b"RADIANS", b"RAND",
    b"RANDOM_BYTES", b"RANK", b"REGEXP", b"REGEXP_INSTR", b"REGEXP_LIKE", b"REGEXP_REPLACE",
    b"REGEXP_SUBSTR", b"REPEAT", b"REPLACE", b"REVERSE", b"RIGHT", b"RLIKE", b"ROLLUP", b"ROUND",
    b"ROW", b"ROW_NUMBER", b"RPAD", b"RTRIM", b"SCHEMA", b"SECOND", b"SEC_TO_TIME", b"SELECT",
    b"SESSION_USER", b"SFORMAT", b"SHA", b"SHA1", b"SHA2", b"SIGN", b"SIGNED", b"SIN", b"SOME",
    b"SOUNDEX", b"SPACE", b"SQRT", b"STATEMENT_DIGEST", b"STATEMENT_DIGEST_TEXT", b"STD", b"STDDEV",
    b"STDDEV_POP", b"STDDEV_SAMP", b"STRCMP", b"STR_TO_DATE", b"ST_ASGEOJSON", b"ST_ASTEXT",
    b"ST_CONTAINS", b"ST_DISTANCE", b"ST_DISTANCE_SPHERE", b"ST_GEOMFROMTEXT", b"ST_INTERSECTS",
    b"ST_WITHIN", b"ST_X", b"ST_Y", b"SUBDATE", b"SUBSTR", b"SUBSTRING", b"SUBSTRING_INDEX",
    b"SUBTIME", b"SUM", b"SYSDATE", b"SYSTEM_USER", b"TAN", b"THEN", b"TIME", b"TIMEDIFF",
    b"TIMESTAMP", b"TIMESTAMPADD", b"TIMESTAMPDIFF", b"TIME_FORMAT", b"TIME_TO_SEC", b"TO_BASE64",
    b"TO_CHAR", b"TO_DAYS", b"TO_SECONDS", b"TRIM", b"TRIM_ORACLE", b"TRUNCATE", b"UCASE",
    b"UNCOMPRESS", b"UNCOMPRESSED_LENGTH", b"UNHEX", b"UNION", b"UNIX_TIMESTAMP", b"UNSIGNED",
    b"UPDATEXML", b"UPPER", b"USER", b"USING", b"UTC_DATE", b"UTC_TIME", b"UTC_TIMESTAMP", b"UUID",
    b"UUID_TO_BIN", b"VALUE", b"VALUES", b"VARCHAR", b"VARIANCE", b"VAR_POP", b"VAR_SAMP",
    b"VEC_DISTANCE", b"VERSION", b"WEEK", b"WEEKDAY", b"WEEKOFYEAR", b"WEIGHT_STRING", b"WHEN",
    b"WHERE", b"WINDOW", b"WITHIN", b"XOR", b"YEAR", b"YEARWEEK",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted() {
        assert!(HARMLESS.is_sorted());
    }
}
