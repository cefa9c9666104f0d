alter table sqlx_things add column sold boolean not null default false;
create index sqlx_things_by_day on sqlx_things (day);
