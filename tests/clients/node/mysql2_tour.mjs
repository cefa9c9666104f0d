// What applications do through mysql2; says "done" at the end.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const environment = process.env;
const load = createRequire(environment.TIDEGATE_NODE_MODULES);
const mysql = load("mysql2/promise");
const callbacks = load("mysql2");

const authority = environment.TIDEGATE_CA;
const settings = {
  host: "127.0.0.1",
  port: Number(environment.TIDEGATE_PORT),
  user: environment.TIDEGATE_USER,
  password: environment.TIDEGATE_PASSWORD,
  database: environment.TIDEGATE_DATABASE,
  charset: "utf8mb4",
  timezone: "Z",
  supportBigNumbers: true,
  multipleStatements: true,
  namedPlaceholders: true,
  compress: "TIDEGATE_COMPRESS" in environment,
  ...(authority ? { ssl: { ca: readFileSync(authority), verifyIdentity: false } } : {}),
};

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const rows = [
  [-128, "-9223372036854775808", "12345678901234.567890", 1.5e300, new Date("2038-01-19T03:14:08.123Z"), { ä: [1, null] }, "Zoë \"O'Brien\" 🌊 日本語", everyByte],
  [null, null, null, null, null, null, null, null],
  [127, 0, "0.000001", -0.1, new Date("1970-01-02T00:00:00.000Z"), [], "", Buffer.alloc(0)],
];

async function everyType(connection) {
  await connection.query("drop table if exists js");
  await connection.query(
    `create table js (id int auto_increment primary key, small tinyint, big bigint, price decimal(20,6), ratio double,
      at datetime(3), document json, name varchar(100) unique, data longblob) character set utf8mb4`,
  );
  for (const row of rows) {
    const values = row.map((value, column) => (column === 5 && value !== null ? JSON.stringify(value) : value));
    const [result] = await connection.execute("insert into js values (default, ?, ?, ?, ?, ?, ?, ?, ?)", values);
    assert.equal(result.affectedRows, 1);
  }
  for (const read of [connection.query.bind(connection), connection.execute.bind(connection)]) {
    const [found] = await read({ sql: "select * from js where id > :after order by id", rowsAsArray: true }, { after: 0 });
    const plain = found.map(([, ...row]) =>
      // MariaDB's JSON is a text; MySQL's is a type of its own.
      row.map((value, column) => (column === 5 && typeof value === "string" ? JSON.parse(value) : value)),
    );
    assert.deepEqual(plain, rows);
  }
}

async function errors(connection) {
  await assert.rejects(connection.execute("select * from missing_table"), { errno: 1146, code: "ER_NO_SUCH_TABLE", sqlState: "42S02" });
  await assert.rejects(connection.query("selec 1"), { errno: 1064, code: "ER_PARSE_ERROR" });
  await assert.rejects(connection.execute("insert into js (id) values (?)", [1]), { errno: 1062, code: "ER_DUP_ENTRY" });
  const [[{ one }]] = await connection.query("select 1 as one");
  assert.equal(one, 1);
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
  assert.deepEqual([results[0][0].a, results[1][0].b, results[2].affectedRows, results[3][0].c], [1, 2, 0, 3]);
  await connection.query("drop procedure if exists js_two");
  await connection.query("create procedure js_two() begin select 1 as a; select 2 as b; end");
  const [sets] = await connection.query("call js_two()");
  assert.deepEqual([sets[0][0].a, sets[1][0].b], [1, 2]);
}

async function largeValues(connection) {
  const blob = Buffer.alloc(20 << 20, "tidegate");
  const [[row]] = await connection.query("select length(?) as length, ? as back", [blob, blob.toString()]);
  assert.equal(row.length, blob.length);
  assert.equal(row.back, blob.toString());
}

async function preparedStatements(connection) {
  const statement = await connection.prepare("select ? + 1 as next");
  for (const number of [1, 2, 40]) {
    const [[{ next }]] = await statement.execute([number]);
    assert.equal(Number(next), number + 1);
  }
  await statement.close();
  // As many as this would stay open on the server if closing did not reach it.
  for (let number = 0; number < 50; number++) {
    await connection.execute(`select ${number} as number`);
    connection.unprepare(`select ${number} as number`);
  }
}

// Rows are handed on one by one, and the server waits while nobody takes them.
async function streaming() {
  const connection = callbacks.createConnection(settings);
  const ten = "(select 0 n union all select 1 union all select 2 union all select 3 union all select 4 union all select 5 union all select 6 union all select 7 union all select 8 union all select 9)";
  const sql = `select a.n + 10 * b.n + 100 * c.n + 1000 * d.n as n, repeat('x', 1000) as filler from ${ten} a, ${ten} b, ${ten} c, ${ten} d`;
  const stream = connection.query(sql).stream({ highWaterMark: 5 });
  let [count, sum] = [0, 0];
  for await (const { n } of stream) {
    count += 1;
    sum += Number(n);
  }
  assert.deepEqual([count, sum], [10_000, (9_999 * 10_000) / 2]);
  await new Promise((resolve) => connection.end(resolve));
}

// Whoever logs in anew finds nothing of what was before.
async function anotherUser(connection) {
  const { user, password, database } = settings;
  await connection.query("set @mine = 7");
  await connection.changeUser({ user, password, database });
  const [[row]] = await connection.query("select @mine as mine, database() as name");
  assert.deepEqual({ ...row }, { mine: null, name: database });
}

async function pool() {
  const pool = mysql.createPool({ ...settings, connectionLimit: 4 });
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, number) => pool.execute("select ? + 0 as number", [number])),
  );
  assert.deepEqual(answers.map(([[row]]) => Number(row.number)), Array.from({ length: 40 }, (_, number) => number));
  // A connection that was destroyed is replaced.
  const connection = await pool.getConnection();
  await connection.query("set @mine = 7");
  connection.destroy();
  const [[{ mine }]] = await pool.query("select @mine as mine");
  assert.equal(mine, null);
  await pool.end();
}

const connection = await mysql.createConnection(settings);
await everyType(connection);
await errors(connection);
await transactions(connection);
await manyResults(connection);
await largeValues(connection);
await preparedStatements(connection);
await connection.ping();
await anotherUser(connection);
await connection.end();
await streaming();
await pool();
console.log("done");
