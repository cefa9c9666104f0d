alter table sqlx_things add sold boolean not null default false;
create index sqlx_things_sold on sqlx_things (sold);
