create table sqlx_things (
    id bigint auto_increment primary key,
    name varchar(50) not null unique,
    small tinyint,
    huge bigint unsigned,
    ratio double,
    day date,
    at datetime(6),
    lasts time(6),
    document json,
    data longblob
) character set utf8mb4;
