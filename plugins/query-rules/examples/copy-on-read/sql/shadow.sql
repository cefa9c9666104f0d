-- On the secondary's and on the candidate's server, once each: where to read from, and how.
-- The database `shop` must be there with all its tables, empty:
--   mariadb-dump --no-data shop | mariadb --host=secondary shop
INSTALL SONAME 'ha_federatedx';

CREATE OR REPLACE SERVER copy_on_read FOREIGN DATA WRAPPER mysql OPTIONS (
  HOST '10.0.0.1', PORT 3306, DATABASE 'shop', USER 'copy_on_read', PASSWORD 'copy-on-read'
);

-- The primary's tables, under their own names.
CREATE DATABASE shop_origin;

USE shop;

-- What could not be copied, and why.
CREATE TABLE copy_on_read_failed (
  at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  query LONGTEXT NOT NULL,
  problem TEXT NOT NULL
);

DELIMITER //

-- Makes a table of the primary known here. Its columns and keys are read from there.
CREATE PROCEDURE adopt(IN name VARCHAR(64))
BEGIN
  EXECUTE IMMEDIATE CONCAT(
    'CREATE OR REPLACE TABLE shop_origin.`', REPLACE(name, '`', '``'), '` ',
    'ENGINE = FEDERATED CONNECTION = ''copy_on_read/', REPLACE(name, '''', ''''''), ''''
  );
END //

-- Runs a query here. If it finds nothing, the rows that it is about are copied from the primary first.
-- Only a query of one table, named once and right behind FROM, can be copied for.
CREATE PROCEDURE execute_query(IN statement LONGTEXT CHARACTER SET utf8mb4)
  MODIFIES SQL DATA
  SQL SECURITY INVOKER
BEGIN
  -- The name of the table, and what follows it.
  DECLARE about LONGTEXT DEFAULT REGEXP_SUBSTR(statement, '(?is)\\bFROM\\s+\\K.*$');
  DECLARE name TEXT DEFAULT REGEXP_SUBSTR(about, '^(`[^`]+`|\\w+)(?!\\s*\\.)');
  BEGIN
    DECLARE why TEXT;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
      GET DIAGNOSTICS CONDITION 1 why = MESSAGE_TEXT;
      INSERT INTO copy_on_read_failed (query, problem) VALUES (statement, why);
    END;
    EXECUTE IMMEDIATE CONCAT('SELECT EXISTS(', statement, '\n) INTO @copy_on_read_found');
    IF NOT @copy_on_read_found THEN
      -- Rows that are here already are kept as they are here.
      EXECUTE IMMEDIATE CONCAT(
        'INSERT IGNORE INTO ', name, ' SELECT * FROM shop_origin.', about
      );
    END IF;
  END;
  EXECUTE IMMEDIATE statement;
END //

DELIMITER ;
