// What applications do through MariaDB's own driver; says "done" at the end.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const environment = process.env;
const load = createRequire(environment.TIDEGATE_NODE_MODULES);
const mariadb = load("mariadb");

const authority = environment.TIDEGATE_CA;
const settings = {
  host: "127.0.0.1",
  port: Number(environment.TIDEGATE_PORT),
  user: environment.TIDEGATE_USER,
  password: environment.TIDEGATE_PASSWORD,
  database: environment.TIDEGATE_DATABASE,
  compress: "TIDEGATE_COMPRESS" in environment,
  timezone: "Z",
  // Statements are sent without waiting for the answers to those before them.
  pipelining: true,
  ...(authority ? { ssl: { ca: readFileSync(authority), checkServerIdentity: () => undefined } } : {}),
};

async function types(connection) {
  await connection.query("drop table if exists maria");
  await connection.query(
    "create table maria (id int auto_increment primary key, name varchar(100), price decimal(20,6), at datetime(3), document json, place point) character set utf8mb4",
  );
  await connection.query("insert into maria (name, price, at, document, place) values (?, ?, ?, ?, point(1, 2))", [
    "Zoë 🌊", "12345.000001", new Date("2038-01-19T03:14:08.123Z"), { a: [1, null] },
  ]);
  const [row] = await connection.query("select * from maria");
  assert.equal(row.name, "Zoë 🌊");
  assert.equal(row.at.toISOString(), "2038-01-19T03:14:08.123Z");
  // Only the extended metadata says that these are no plain texts.
  assert.deepEqual(row.document, { a: [1, null] });
  assert.deepEqual(row.place, { type: "Point", coordinates: [1, 2] });
}

// Thousands of rows in one execution.
async function batches(connection) {
  await connection.query("drop table if exists bulk");
  await connection.query("create table bulk (n int primary key, name varchar(2000), at datetime)");
  const insert = "insert into bulk values (?, ?, ?)";
  const row = (n) => [n, n % 7 === 0 ? null : "x".repeat(n % 2000), new Date(Date.UTC(2030, 0, 1 + (n % 28)))];
  const rows = Array.from({ length: 5_000 }, (_, n) => row(n));
  const executions = [await connection.batch(insert, rows)].flat();
  assert.equal(executions.reduce((sum, { affectedRows }) => sum + Number(affectedRows), 0), rows.length);
  const [{ count, length }] = await connection.query("select count(*) as count, sum(length(name)) as length from bulk");
  assert.equal(Number(count), rows.length);
  assert.equal(Number(length), rows.reduce((sum, [, name]) => sum + (name?.length ?? 0), 0));
  // The same statement with other types, and again.
  await connection.batch(insert, [[10_000, "a", null], [10_001, 7, null]]);
  await connection.batch(insert, [["10002", "b", "2030-01-01 00:00:00"], ["10003", null, null]]);
  const names = await connection.query("select name from bulk where n >= 10000 order by n");
  assert.deepEqual(names.map(({ name }) => name), ["a", "7", "b", null]);
  await assert.rejects(connection.batch(insert, [[10_004, "a", null], [1, "taken", null]]), { errno: 1062 });
}

async function pipelined(connection) {
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, n) => connection.execute("select ? + 0 as n", [n])),
  );
  assert.deepEqual(answers.map(([{ n }]) => Number(n)), Array.from({ length: 30 }, (_, n) => n));
  const failing = connection.execute("select ? from nowhere", [1]);
  const after = connection.execute("select ? as n", [7]);
  await assert.rejects(failing, { errno: 1146 });
  assert.equal(Number((await after)[0].n), 7);
}

async function session(connection) {
  await connection.query("set @mine = 7");
  const [{ mine }] = await connection.query("select @mine as mine");
  assert.equal(Number(mine), 7);
  await connection.beginTransaction();
  await connection.query("delete from bulk");
  await connection.rollback();
  const [{ count }] = await connection.query("select count(*) as count from bulk");
  assert.ok(Number(count) >= 5_000);
  await connection.changeUser({ user: settings.user, password: settings.password, database: settings.database });
  const [{ forgotten }] = await connection.query("select @mine as forgotten");
  assert.equal(forgotten, null);
  await connection.reset();
  await connection.ping();
}

async function pool() {
  const pool = mariadb.createPool({ ...settings, connectionLimit: 3 });
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => pool.query("select ? as n", [n])));
  assert.deepEqual(answers.map(([{ n }]) => Number(n)), Array.from({ length: 20 }, (_, n) => n));
  await pool.end();
}

const connection = await mariadb.createConnection(settings);
await types(connection);
await batches(connection);
await pipelined(connection);
await session(connection);
await connection.end();
await pool();
console.log("done");
