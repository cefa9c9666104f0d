// What applications do through mysql2; says "done" at the end.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const environment = process.env;
const mysql = createRequire(environment.TIDEGATE_NODE_MODULES)("mysql2/promise");

const authority = environment.TIDEGATE_CA;
const settings = {
  host: "127.0.0.1",
  port: Number(environment.TIDEGATE_PORT),
  user: environment.TIDEGATE_USER,
  password: environment.TIDEGATE_PASSWORD,
  database: environment.TIDEGATE_DATABASE,
  multipleStatements: true,
  ...(authority ? { ssl: { ca: readFileSync(authority), verifyIdentity: false } } : {}),
};

async function preparedStatements(connection) {
  await connection.query("create or replace table js (id int primary key, name text, price decimal(10,2))");
  for (const [id, name] of ["ä", "日本語", "🌊"].entries()) {
    const [result] = await connection.execute("insert into js values (?, ?, ?)", [id, name, "1.50"]);
    assert.equal(result.affectedRows, 1);
  }
  const [rows] = await connection.execute("select name, price from js where id >= ? order by id", [1]);
  assert.deepEqual(rows.map((row) => [row.name, row.price]), [["日本語", "1.50"], ["🌊", "1.50"]]);
  await assert.rejects(connection.execute("select * from missing_table"), { errno: 1146 });
  await assert.rejects(connection.query("selec 1"), { errno: 1064 });
}

async function transactions(connection) {
  await connection.beginTransaction();
  await connection.execute("delete from js");
  await connection.rollback();
  const [[{ count }]] = await connection.query("select count(*) as count from js");
  assert.equal(count, 3);
}

async function manyResults(connection) {
  const [results] = await connection.query("select 1 as a; select 2 as b; delete from js where id = 0; select 3 as c");
  assert.equal(results.length, 4);
  assert.deepEqual([results[0][0].a, results[1][0].b, results[2].affectedRows, results[3][0].c], [1, 2, 1, 3]);
  await connection.query("create or replace procedure js_two() begin select 1 as a; select 2 as b; end");
  const [sets] = await connection.query("call js_two()");
  assert.deepEqual([sets[0][0].a, sets[1][0].b], [1, 2]);
}

async function largeValues(connection) {
  const blob = Buffer.alloc(20 << 20, "tidegate");
  const [[row]] = await connection.query("select length(?) as length, ? as back", [blob, blob.toString()]);
  assert.equal(row.length, blob.length);
  assert.equal(row.back, blob.toString());
}

async function pool() {
  const pool = mysql.createPool({ ...settings, connectionLimit: 4 });
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, number) => pool.execute("select ? + 0 as number", [number])),
  );
  assert.deepEqual(answers.map(([[row]]) => Number(row.number)), Array.from({ length: 40 }, (_, number) => number));
  await pool.end();
}

const connection = await mysql.createConnection(settings);
await preparedStatements(connection);
await transactions(connection);
await manyResults(connection);
await largeValues(connection);
await connection.ping();
await connection.end();
await pool();
console.log("done");
