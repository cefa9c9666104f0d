//! The example `copy-on-read` of `query-rules`, with its very files, in front of real servers.

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use tidegate_tests::clients::Login;
use tidegate_tests::raw::{RawClient, capability, login_packet};
use tidegate_tests::server::users;
use tidegate_tests::{MariaDb, Setup, Tidegate, free_port};

use crate::support::{assert_unharmed, run, server_error, try_connect, value};

macro_rules! example {
    ($file:literal) => {
        include_str!(concat!("../../../plugins/query-rules/examples/copy-on-read/", $file))
    };
}

const TABLES: &str = "
create database shop;
use shop;
create table orders (
  id int primary key auto_increment, customer int not null, state varchar(20), note varchar(40),
  key (customer)
);
create table customers (id int primary key, name varchar(40), unique (name));
";

const ROWS: &str = r"
insert into shop.orders values
  (1, 7, 'new', 'it''s'), (2, 7, 'paid', 'back\\slash'), (3, 8, 'new', null), (4, 9, 'new', '?');
insert into shop.customers values (7, 'O''Hara'), (8, 'B');
";

/// The primary's server, those of the secondary and the candidate, and tidegate in front of these.
struct Environment {
    primary: MariaDb,
    secondary: MariaDb,
    candidate: MariaDb,
    tidegate: Tidegate,
    candidate_port: u16,
}

impl Environment {
    fn start() -> Self {
        let [primary, secondary, candidate] = [(); 3].map(|()| MariaDb::start());
        primary.execute(&format!("{TABLES}{ROWS}{}", example!("sql/primary.sql")));
        let origin = format!("'127.0.0.1', PORT {}", primary.port());
        let shadow = example!("sql/shadow.sql").replace("'10.0.0.1', PORT 3306", &origin);
        for server in [&secondary, &candidate] {
            server.execute(&format!("{TABLES}{shadow}"));
            server.execute("use shop; call adopt('orders'); call adopt('customers')");
        }
        let (setup, candidate_port) = (Setup::new(&[]), free_port());
        let replaced = |text: &str| {
            text.replace("10.0.0.2:3306", &secondary.address())
                .replace("10.0.0.3:3306", &candidate.address())
                .replace("127.0.0.1:9090", &format!("127.0.0.1:{}", setup.admin_port()))
                .replace("user = \"tidegate\"", "user = \"mon\"")
                .replace("6034", &setup.port().to_string())
                .replace("6035", &candidate_port.to_string())
        };
        let text = replaced(example!("tidegate.toml"));
        let rules = replaced(example!("plugins/query-rules.toml"));
        let setup = setup
            .whole(&text)
            .file("tidegate.secret", users::MONITOR.1)
            .sidecar("query-rules", &format!("deadline = \"1s\"\n{rules}"));
        let tidegate = Tidegate::start_with_plugins(setup, &[("query-rules", "query-rules")]);
        Self { primary, secondary, candidate, tidegate, candidate_port }
    }

    /// As the service that runs beside the primary's.
    async fn secondary(&self) -> Conn {
        try_connect(Login::app(self.tidegate.port(), "shop")).await.unwrap()
    }

    async fn candidate(&self) -> Conn {
        try_connect(Login::app(self.candidate_port, "shop")).await.unwrap()
    }
}

/// The first column of all rows.
async fn column(connection: &mut Conn, query: &str) -> Vec<u32> {
    connection.query(query).await.unwrap_or_else(|error| panic!("{query}: {error}"))
}

#[tokio::test]
async fn what_is_read_is_copied_first() {
    let environment = Environment::start();
    let Environment { primary, secondary, candidate, tidegate, .. } = &environment;
    let mut one = environment.secondary().await;
    let mut two = environment.candidate().await;

    // Both find what the primary has, by text, through whatever is in it.
    let of_seven = "select id from orders where customer = 7 order by id";
    assert_eq!(column(&mut one, of_seven).await, [1, 2]);
    assert_eq!(column(&mut two, &format!("/* why */ {of_seven}; ")).await, [1, 2]);
    assert_eq!(secondary.query("select group_concat(id) from shop.orders").trim(), "1,2");
    for (query, found) in [
        ("SELECT\n  id\nFROM\n  `customers`\nWHERE name = 'O''Hara' -- who", 7),
        ("select id from orders where note = 'back\\\\slash'", 2),
        ("select id from orders where note = \"it's\"", 1),
        ("select id from orders where note = '?'", 4),
        ("with x as (select 1) select id from customers where name = 'B'", 8),
    ] {
        assert_eq!(column(&mut one, query).await, [found], "{query}");
    }

    // What one does afterwards the others do not see.
    primary.execute("update shop.orders set state = 'sent' where customer = 7");
    run(&mut one, "update orders set state = 'paid' where id = 1").await;
    let state = "select state from orders where id = 1";
    assert_eq!(value::<String>(&mut one, state).await, "paid");
    assert_eq!(value::<String>(&mut two, state).await, "new");
    assert_eq!(primary.query("select state from shop.orders where id = 1").trim(), "sent");
    assert_eq!(candidate.query("select count(*) from shop.customers").trim(), "0");

    // Nobody is read only, whatever they say; reads of the server's own tables are its own.
    run(&mut two, "set session transaction read only").await;
    run(&mut two, "START TRANSACTION READ ONLY").await;
    assert_eq!(column(&mut two, "select id from customers where id = 8").await, [8]);
    run(&mut two, "commit").await;
    let tables = "select count(*) from information_schema.tables where table_schema = 'shop'";
    assert_eq!(value::<u32>(&mut two, tables).await, 3);
    assert_eq!(secondary.query("select count(*) from shop.copy_on_read_failed").trim(), "0");

    // Everything is logged, with the rules that held.
    for (log, parts, rules) in [
        (
            "secondary.log",
            ["select id from orders where customer = ? order by id", "\"ok\""],
            "10,50",
        ),
        ("candidate.log", ["set session transaction read only", "\"reply\""], "20,40"),
        ("candidate.log", ["start transaction read only", "\"rewrite\""], "20,41"),
    ] {
        let entry = tidegate.wait_for_query(log, &parts);
        assert_eq!(entry["tags"]["rules"], rules, "{entry}");
    }
    let written = tidegate.wait_for_query("secondary.log", &["update orders set state"]);
    let own = tidegate.wait_for_query("candidate.log", &["information_schema"]);
    assert_eq!((&written["verdict"], &own["verdict"]), (&"route".into(), &"route".into()));
    assert_unharmed(tidegate).await;
}

/// What the recipe cannot do; its README says the same.
#[tokio::test]
async fn the_limits_are_those_that_are_documented() {
    let environment = Environment::start();
    let secondary = &environment.secondary;
    let mut one = environment.secondary().await;

    // Partial ranges: what is here is taken for all.
    assert_eq!(column(&mut one, "select id from orders where id = 1").await, [1]);
    assert_eq!(column(&mut one, "select id from orders where customer = 7").await, [1]);

    // Aggregates always find a row, and so copy nothing.
    assert_eq!(column(&mut one, "select count(*) from orders").await, [1]);

    // Joins, names with a database, names of results and parentheses: run on what is here, and noted.
    let joined = "select o.id from orders o join customers c on c.id = o.customer";
    assert!(column(&mut one, joined).await.is_empty());
    assert!(column(&mut one, "select id from shop.customers where id = 7").await.is_empty());
    assert!(column(&mut one, "select id as x from customers order by x").await.is_empty());
    assert!(column(&mut one, "(select id from customers)").await.is_empty());
    let failed = secondary.query("select count(*) from shop.copy_on_read_failed");
    assert_eq!(failed.trim(), "4");

    // Rows that were deleted come back.
    run(&mut one, "delete from orders where id = 1").await;
    assert_eq!(column(&mut one, "select id from orders where id = 1").await, [1]);

    // Changes of rows that were not read change nothing.
    run(&mut one, "update orders set state = 'lost' where id = 3").await;
    assert_eq!(one.affected_rows(), 0);

    // Keys that the primary has are not known to be taken, and numbers are given twice.
    run(&mut one, "insert into customers values (70, 'O''Hara')").await;
    assert!(column(&mut one, "select id from customers where id = 7").await.is_empty());
    run(&mut one, "insert into orders (customer) values (70)").await;
    assert!(one.last_insert_id().is_some_and(|id| id <= 4), "{:?}", one.last_insert_id());

    // Inside the procedure, its own modes hold.
    run(&mut one, "set session sql_mode = 'NO_BACKSLASH_ESCAPES'").await;
    assert!(column(&mut one, "select id from orders where note = 'back\\slash'").await.is_empty());
    run(&mut one, "set session sql_mode = default").await;

    // What is prepared cannot have placeholders; it is refused, not run wrongly.
    let prepared = one.prep("select id from orders where id = ?").await.unwrap_err();
    let (_, message) = server_error(&prepared);
    assert!(message.contains("rule 50") && message.contains("0 placeholders"), "{message}");
    let plain = one.prep("select id from customers where id = 8").await.unwrap();
    assert_eq!(one.exec_first::<u32, _, _>(&plain, ()).await.unwrap(), Some(8));
    assert_unharmed(&environment.tidegate).await;
}

/// A CALL answers more than a SELECT does, and an old client does not understand it.
#[tokio::test]
async fn a_client_without_multiple_results_is_told_so() {
    let environment = Environment::start();
    environment.secondary.execute("create user plain@'%'; grant all on shop.* to plain@'%'");
    environment.secondary.execute("grant select on shop_origin.* to plain@'%'");
    let mut old = RawClient::connect(environment.tidegate.port()).unwrap();
    let mut login = login_packet("plain", &[]);
    let multiple = capability::MULTI_RESULTS | capability::MULTI_STATEMENTS;
    login[..4].copy_from_slice(&(capability::COMMON & !multiple).to_le_bytes());
    old.send(1, &login).unwrap();
    assert!(old.read().unwrap().is_ok());
    assert!(old.ask(2, b"shop").unwrap().is_ok());
    let answer = old.ask(3, b"select id from orders where id = 1").unwrap();
    assert_eq!(answer.error_code(), Some(1312), "{}", answer.text());
    assert!(old.ask(14, b"").unwrap().is_ok());
}

/// FEDERATED asks for whole tables where no key helps.
#[tokio::test]
async fn a_condition_without_a_key_reads_the_whole_table_of_the_primary() {
    let environment = Environment::start();
    let primary = &environment.primary;
    primary.execute("set global log_output = 'TABLE'; set global general_log = 1");
    let mut one = environment.secondary().await;
    assert_eq!(column(&mut one, "select id from orders where customer = 8").await, [3]);
    assert_eq!(column(&mut one, "select id from orders where note = '?'").await, [4]);
    let asked = primary.query(
        "select argument from mysql.general_log where command_type = 'Query' and argument like \
         '%FROM `orders`%'",
    );
    let with_key = asked.lines().filter(|line| line.contains("`customer` = 8")).count();
    let whole = asked.lines().filter(|line| !line.contains("WHERE")).count();
    assert!(with_key > 0 && whole > 0, "{asked}");
}
