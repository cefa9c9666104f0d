-- On the primary's server: the account with which the others read. It can read, and no more.
CREATE USER IF NOT EXISTS copy_on_read@'%' IDENTIFIED BY 'copy-on-read';
GRANT SELECT ON shop.* TO copy_on_read@'%';
