// What applications do through pg; says "done" at the end.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const environment = process.env;
const load = createRequire(environment.TIDEGATE_NODE_MODULES);
const pg = load("pg");
const Cursor = load("pg-cursor");

const authority = environment.TIDEGATE_CA;
const settings = {
  host: "127.0.0.1",
  port: Number(environment.TIDEGATE_PORT),
  user: environment.TIDEGATE_USER,
  password: environment.TIDEGATE_PASSWORD,
  database: environment.TIDEGATE_DATABASE,
  application_name: "pg tour",
  options: "-c work_mem=9MB",
  enableChannelBinding: true,
  ...(authority ? { ssl: { ca: readFileSync(authority) } } : {}),
};

async function connected(more = {}) {
  const client = new pg.Client({ ...settings, ...more });
  await client.connect();
  return client;
}

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const columns = "small, big, price, ratio, sold, moment, document, name, data, numbers, texts";
const rows = [
  [-32768, "-9223372036854775808", "12345678901234567890.0123", 1.5e300, true, new Date("2038-01-19T03:14:08.123Z"), { ä: [1, null] }, "Zoë \"O'Brien\" \\ 🌊 日本語 $1", everyByte, [1, -2], ["ä", "", "{,}", null]],
  Array(11).fill(null),
  [32767, "0", "-0.0001", -0.1, false, new Date("1970-01-02T00:00:00.000Z"), [], "", Buffer.alloc(0), [], []],
];

async function loginFacts(client) {
  assert.ok(client.processID > 0);
  const { rows } = await client.query("select current_user as who, current_setting('application_name') as name, current_setting('work_mem') as memory");
  assert.deepEqual(rows, [{ who: settings.user, name: "pg tour", memory: "9MB" }]);
}

async function everyType(client) {
  await client.query(
    `create table js (id serial primary key, small smallint, big bigint, price numeric(30, 4), ratio double precision, sold boolean,
      moment timestamptz, document jsonb, name text unique, data bytea, numbers int[], texts text[])`,
  );
  const places = Array.from({ length: 11 }, (_, column) => `$${column + 1}`);
  for (const row of rows) {
    const values = row.map((value, column) => (column === 6 && value !== null ? JSON.stringify(value) : value));
    const insert = { name: "insert", text: `insert into js (${columns}) values (${places}) returning id`, values };
    assert.equal((await client.query(insert)).rowCount, 1);
  }
  const select = `select ${columns} from js where id > $1 order by id`;
  for (const name of [undefined, "select"]) {
    const found = await client.query({ name, text: select, values: [0], rowMode: "array" });
    assert.deepEqual(found.rows, rows);
  }
}

async function errors(client) {
  await assert.rejects(client.query("selec 1"), { code: "42601", severity: "ERROR" });
  await assert.rejects(client.query("select * from missing_table where a = $1", [1]), { code: "42P01" });
  await assert.rejects(client.query({ name: "again", text: "insert into js (id) values ($1)", values: [1] }), { code: "23505", constraint: "js_pkey" });
  await assert.rejects(client.query("select 1; select 1 / 0; select 2"), { code: "22012" });
  assert.deepEqual((await client.query("select 1 as one")).rows, [{ one: 1 }]);
}

async function severalStatements(client) {
  const results = await client.query("select 1 as a; select 2 as b where false; update js set small = 1 where id = 0; select 3 as c");
  assert.deepEqual(results.map(({ command, rowCount }) => [command, rowCount]), [["SELECT", 1], ["SELECT", 0], ["UPDATE", 0], ["SELECT", 1]]);
  assert.equal((await client.query("")).command, null);
}

async function transactions(client) {
  await client.query("begin isolation level repeatable read");
  await client.query("delete from js");
  await client.query("savepoint a");
  await assert.rejects(client.query("selec 1"));
  await assert.rejects(client.query("select 1"), { code: "25P02" });
  await client.query("rollback to a");
  await client.query("rollback");
  assert.equal((await client.query("select count(*)::int as n from js")).rows[0].n, 3);
}

async function preparedStatements(client) {
  for (let number = 0; number < 20; number++) {
    const { rows } = await client.query({ name: "next", text: "select $1::int + 1 as next", values: [number] });
    assert.equal(rows[0].next, number + 1);
  }
  // They are never closed.
  for (let number = 0; number < 60; number++) {
    const { rows } = await client.query({ name: `number ${number}`, text: `select ${number} + $1::int as sum`, values: [1] });
    assert.equal(rows[0].sum, number + 1);
  }
  await assert.rejects(client.query({ name: "next", text: "select 2" }), /must be unique/);
}

// Rows come in portions, as they are asked for.
async function cursors(client) {
  const cursor = client.query(new Cursor("select n, repeat('x', 100) from generate_series(1, $1::int) n", [1000]));
  let sum = 0;
  for (let rows = await cursor.read(37); rows.length > 0; rows = await cursor.read(37)) {
    sum += rows.reduce((sum, { n }) => sum + n, 0);
  }
  assert.equal(sum, (1000 * 1001) / 2);
  const unfinished = client.query(new Cursor("select generate_series(1, 1000000000) n"));
  assert.equal((await unfinished.read(10)).length, 10);
  await unfinished.close();
  assert.equal((await client.query("select 1 as one")).rows[0].one, 1);
}

async function notifications(client) {
  const listener = await connected();
  await listener.query("listen js");
  for (const payload of ["first", "second"]) {
    const heard = once(listener, "notification");
    await client.query("select pg_notify('js', $1)", [payload]);
    const [notice] = await heard;
    assert.deepEqual([notice.channel, notice.payload], ["js", payload]);
  }
  await listener.end();
  const told = once(client, "notice");
  await client.query("do $$ begin raise notice 'hello'; end $$");
  assert.equal((await told)[0].message, "hello");
}

async function sessionState(client) {
  await client.query("set timezone = 'Asia/Kathmandu'");
  await client.query("create temporary table mine (a int)");
  await client.query("insert into mine values ($1)", [7]);
  for (let round = 0; round < 3; round++) {
    const { rows } = await client.query("select a, current_setting('timezone') as zone from mine");
    assert.deepEqual(rows, [{ a: 7, zone: "Asia/Kathmandu" }]);
  }
  await client.query("discard all");
  await assert.rejects(client.query("select * from mine"), { code: "42P01" });
}

async function largeValues(client) {
  const blob = Buffer.alloc(10 << 20, "tidegate");
  const { rows } = await client.query("select length($1::bytea) as length, $2::text as back", [blob, blob.toString()]);
  assert.equal(rows[0].length, blob.length);
  assert.equal(rows[0].back, blob.toString());
}

async function pool() {
  const pool = new pg.Pool({ ...settings, max: 5 });
  const answers = await Promise.all(Array.from({ length: 100 }, (_, number) => pool.query("select $1::int as number", [number])));
  assert.deepEqual(answers.map(({ rows }) => rows[0].number), Array.from({ length: 100 }, (_, number) => number));
  const client = await pool.connect();
  await client.query("begin");
  await client.query("delete from js");
  // Whoever is destroyed in a transaction leaves nothing behind.
  client.release(true);
  assert.equal((await pool.query("select count(*)::int as n from js")).rows[0].n, 3);
  await pool.end();
}

async function timeouts() {
  const client = await connected({ statement_timeout: 200 });
  await assert.rejects(client.query("select pg_sleep(61)"), { code: "57014" });
  assert.equal((await client.query("select 1 as one")).rows[0].one, 1);
  await client.end();
}

const client = await connected();
await loginFacts(client);
await everyType(client);
await errors(client);
await severalStatements(client);
await transactions(client);
await preparedStatements(client);
await cursors(client);
await notifications(client);
await largeValues(client);
await pool();
await timeouts();
await sessionState(client);
await client.end();
await assert.rejects(connected({ password: "wrong" }), { code: "28P01" });
console.log("done");
