create type sqlx_mood as enum ('sad', 'ok');
create table sqlx_things (
    id serial primary key,
    name text not null unique,
    small smallint,
    big bigint,
    ratio double precision,
    day date,
    at timestamp,
    moment timestamptz,
    document jsonb,
    data bytea,
    numbers int[],
    mood sqlx_mood
);
