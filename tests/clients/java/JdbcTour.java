// What applications do through PostgreSQL's JDBC driver; says "done" at the end.

import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.Properties;
import java.util.UUID;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;

public class JdbcTour {
    interface Run {
        void run() throws SQLException;
    }

    static void check(boolean holds, Object seen) {
        if (!holds) {
            throw new AssertionError(String.valueOf(seen));
        }
    }

    static void same(Object seen, Object wanted) {
        check(wanted == null ? seen == null : wanted.equals(seen), seen + " is not " + wanted);
    }

    static void fails(String state, Run run) throws SQLException {
        try {
            run.run();
        } catch (SQLException error) {
            check(state.equals(error.getSQLState()), error);
            return;
        }
        throw new AssertionError(state + " was not thrown");
    }

    static Connection connect(String... more) throws SQLException {
        Properties settings = new Properties();
        settings.setProperty("user", System.getenv("TIDEGATE_USER"));
        settings.setProperty("password", System.getenv("TIDEGATE_PASSWORD"));
        settings.setProperty("ApplicationName", "jdbc tour");
        // Statements are prepared by name from their second execution on.
        settings.setProperty("prepareThreshold", "2");
        settings.setProperty("gssEncMode", "disable");
        String authority = System.getenv("TIDEGATE_CA");
        settings.setProperty("sslmode", authority == null ? "disable" : "verify-full");
        if (authority != null) {
            settings.setProperty("sslrootcert", authority);
        }
        for (int at = 0; at < more.length; at += 2) {
            settings.setProperty(more[at], more[at + 1]);
        }
        String place = "127.0.0.1:" + System.getenv("TIDEGATE_PORT") + "/";
        return DriverManager.getConnection("jdbc:postgresql://" + place + System.getenv("TIDEGATE_DATABASE"), settings);
    }

    static Object value(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery(sql)) {
            check(rows.next(), sql + ": no row");
            return rows.getObject(1);
        }
    }

    static void everyType(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("create table jdbc (id serial primary key, small smallint, big bigint, price numeric(30, 10),"
                + " ratio double precision, sold boolean, day date, moment timestamptz, name text unique, code uuid, data bytea, numbers int[])");
        }
        byte[] everyByte = new byte[256];
        for (int at = 0; at < 256; at++) {
            everyByte[at] = (byte) at;
        }
        Object[] row = {(short) -32768, Long.MIN_VALUE, new BigDecimal("12345678901234567890.0123456789"), 1.5e300, true,
            LocalDate.of(2024, 2, 29), OffsetDateTime.of(2024, 3, 31, 1, 30, 0, 123456000, ZoneOffset.UTC),
            "Zoë \"O'Brien\" \\ 🌊 日本語 $1 ?", UUID.fromString("12345678-9abc-def0-1234-56789abcdef0"), everyByte};
        String insert = "insert into jdbc (small, big, price, ratio, sold, day, moment, name, code, data, numbers) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        try (PreparedStatement statement = connection.prepareStatement(insert, Statement.RETURN_GENERATED_KEYS)) {
            for (int number = 0; number < 2; number++) {
                for (int at = 0; at < row.length; at++) {
                    statement.setObject(at + 1, number == 0 ? row[at] : null);
                }
                statement.setArray(11, connection.createArrayOf("int4", new Integer[] {1, -2, null}));
                same(statement.executeUpdate(), 1);
                try (ResultSet keys = statement.getGeneratedKeys()) {
                    check(keys.next(), "no key");
                    same(keys.getInt(1), number + 1);
                }
            }
        }
        try (PreparedStatement statement = connection.prepareStatement("select small, big, price, ratio, sold, day, moment, name, code, data, numbers from jdbc where id = ?")) {
            // Text at first, binary later.
            for (int round = 0; round < 6; round++) {
                statement.setInt(1, 1);
                try (ResultSet rows = statement.executeQuery()) {
                    check(rows.next(), "no row");
                    same((short) rows.getInt(1), row[0]);
                    same(rows.getLong(2), row[1]);
                    same(rows.getBigDecimal(3), row[2]);
                    same(rows.getDouble(4), row[3]);
                    same(rows.getBoolean(5), row[4]);
                    same(rows.getObject(6, LocalDate.class), row[5]);
                    same(rows.getObject(7, OffsetDateTime.class), row[6]);
                    same(rows.getString(8), row[7]);
                    same(rows.getObject(9), row[8]);
                    check(Arrays.equals(rows.getBytes(10), everyByte), "data");
                    same(Arrays.asList((Integer[]) rows.getArray(11).getArray()), Arrays.asList(1, -2, null));
                }
                statement.setInt(1, 2);
                try (ResultSet rows = statement.executeQuery()) {
                    check(rows.next() && rows.getObject(1) == null && rows.getObject(9) == null, "nulls");
                }
            }
        }
    }

    static void failures(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            fails("42601", () -> statement.execute("selec 1"));
            fails("42P01", () -> statement.execute("select * from missing_table"));
            fails("23505", () -> statement.execute("insert into jdbc (id) values (1)"));
            connection.setAutoCommit(false);
            fails("22012", () -> statement.execute("select 1 / 0"));
            fails("25P02", () -> statement.execute("select 1"));
            connection.rollback();
            connection.setAutoCommit(true);
        }
        same(value(connection, "select 1"), 1);
    }

    static void transactions(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
        same(value(connection, "show transaction_isolation"), "serializable");
        try (Statement statement = connection.createStatement()) {
            same(statement.executeUpdate("update jdbc set small = 5 where id = 1"), 1);
            var savepoint = connection.setSavepoint("here");
            same(statement.executeUpdate("delete from jdbc"), 2);
            connection.rollback(savepoint);
            connection.commit();
            connection.setReadOnly(true);
            fails("25006", () -> statement.execute("delete from jdbc"));
            connection.rollback();
        }
        connection.setReadOnly(false);
        connection.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
        connection.setAutoCommit(true);
        same(value(connection, "select count(*) from jdbc where small = 5"), 1L);
    }

    static void preparedStatements(Connection connection) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement("select ? + 1, ?::text")) {
            for (int number = 0; number < 20; number++) {
                statement.setInt(1, number);
                statement.setString(2, "x".repeat(number));
                try (ResultSet rows = statement.executeQuery()) {
                    check(rows.next(), "no row");
                    same(rows.getInt(1), number + 1);
                    same(rows.getString(2).length(), number);
                }
            }
            same(statement.getMetaData().getColumnCount(), 2);
        }
        // More than the driver keeps: the first are closed.
        for (int number = 0; number < 300; number++) {
            try (PreparedStatement statement = connection.prepareStatement("select ? + " + number)) {
                for (int round = 0; round < 3; round++) {
                    statement.setInt(1, 1);
                    try (ResultSet rows = statement.executeQuery()) {
                        check(rows.next(), "no row");
                        same(rows.getInt(1), number + 1);
                    }
                }
            }
        }
    }

    static void portals(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        try (PreparedStatement statement = connection.prepareStatement("select n, repeat('x', 100) from generate_series(1, ?) n");
            Statement between = connection.createStatement()) {
            statement.setFetchSize(37);
            statement.setInt(1, 1000);
            long sum = 0;
            try (ResultSet rows = statement.executeQuery()) {
                while (rows.next()) {
                    sum += rows.getInt(1);
                    if (sum % 100 == 0) {
                        // Another statement while the portal is open.
                        between.execute("select 1");
                    }
                }
            }
            same(sum, 1000L * 1001 / 2);
            try (ResultSet rows = statement.executeQuery()) {
                check(rows.next(), "no row");
            }
        }
        connection.commit();
        connection.setAutoCommit(true);
    }

    static void batches(boolean rewrite) throws SQLException {
        String table = "batch_" + rewrite;
        try (Connection connection = connect("reWriteBatchedInserts", String.valueOf(rewrite))) {
            try (Statement statement = connection.createStatement()) {
                statement.addBatch("create table " + table + " (n int primary key, data text)");
                statement.addBatch("insert into " + table + " values (-1, 'first')");
                statement.addBatch("update " + table + " set data = 'changed'");
                same(Arrays.toString(statement.executeBatch()), "[0, 1, 1]");
            }
            try (PreparedStatement statement = connection.prepareStatement("insert into " + table + " values (?, ?)")) {
                for (int number = 0; number < 1000; number++) {
                    statement.setInt(1, number);
                    statement.setString(2, "x".repeat(100));
                    statement.addBatch();
                }
                same(statement.executeBatch().length, 1000);
                for (int number = 1000; number > 990; number--) {
                    statement.setInt(1, number);
                    statement.setString(2, "again");
                    statement.addBatch();
                }
                try {
                    statement.executeBatch();
                    throw new AssertionError("a key came twice");
                } catch (BatchUpdateException error) {
                    same(error.getSQLState(), "23505");
                }
            }
            same(value(connection, "select count(*) from " + table), 1001L);
        }
    }

    static void copies(Connection connection) throws Exception {
        var copy = connection.unwrap(PGConnection.class).getCopyAPI();
        try (Statement statement = connection.createStatement()) {
            statement.execute("create table copied (n int, data text)");
        }
        StringBuilder lines = new StringBuilder();
        for (int number = 0; number < 20000; number++) {
            lines.append(number).append("\tä ").append(number).append('\n');
        }
        same(copy.copyIn("copy copied from stdin", new StringReader(lines.toString())), 20000L);
        StringWriter out = new StringWriter();
        same(copy.copyOut("copy (select * from copied order by n) to stdout", out), 20000L);
        same(out.toString(), lines.toString());
        fails("22P02", () -> {
            try {
                copy.copyIn("copy copied from stdin", new StringReader("x\ty\n".repeat(5000)));
            } catch (java.io.IOException error) {
                throw new AssertionError(error);
            }
        });
        var unfinished = copy.copyIn("copy copied from stdin");
        unfinished.writeToCopy("1\tx\n".getBytes(), 0, 4);
        unfinished.cancelCopy();
        same(value(connection, "select count(*) from copied"), 20000L);
    }

    static void notifications(Connection connection) throws SQLException {
        try (Connection listener = connect(); Statement statement = listener.createStatement()) {
            statement.execute("listen jdbc");
            value(connection, "select pg_notify('jdbc', 'hello')::text");
            PGNotification[] heard = listener.unwrap(PGConnection.class).getNotifications(30000);
            check(heard != null && heard.length == 1, "nothing heard");
            same(heard[0].getName() + heard[0].getParameter(), "jdbchello");
        }
        try (Statement statement = connection.createStatement()) {
            statement.execute("do $$ begin raise notice 'hello'; end $$");
            same(statement.getWarnings().getMessage(), "hello");
        }
    }

    static void cancellation(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.setQueryTimeout(1);
            fails("57014", () -> statement.execute("select pg_sleep(61)"));
        }
        same(value(connection, "select 1"), 1);
    }

    static void sessionState(Connection connection) throws SQLException {
        connection.setSchema("pg_catalog");
        same(connection.getSchema(), "pg_catalog");
        connection.setSchema("public");
        connection.setClientInfo("ApplicationName", "renamed");
        same(value(connection, "show application_name"), "renamed");
        try (Statement statement = connection.createStatement()) {
            statement.execute("create temporary table mine (a int)");
            statement.execute("insert into mine values (7)");
        }
        same(value(connection, "select a from mine"), 7);
        check(connection.isValid(10), "it is not valid");
    }

    static void metadata(Connection connection) throws SQLException {
        try (ResultSet tables = connection.getMetaData().getTables(null, "public", "jdbc", null)) {
            check(tables.next(), "no table");
            same(tables.getString("TABLE_NAME"), "jdbc");
        }
        try (ResultSet keys = connection.getMetaData().getPrimaryKeys(null, "public", "jdbc")) {
            check(keys.next(), "no key");
            same(keys.getString("COLUMN_NAME"), "id");
        }
    }

    static void largeValues(Connection connection) throws SQLException {
        byte[] blob = new byte[10 << 20];
        Arrays.fill(blob, (byte) 0x5c);
        try (PreparedStatement statement = connection.prepareStatement("select length(?::bytea), ?::bytea")) {
            statement.setBytes(1, blob);
            statement.setBytes(2, blob);
            try (ResultSet rows = statement.executeQuery()) {
                check(rows.next(), "no row");
                same(rows.getInt(1), blob.length);
                check(Arrays.equals(rows.getBytes(2), blob), "other bytes");
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        try (Connection connection = connect()) {
            same(value(connection, "show application_name"), "jdbc tour");
            everyType(connection);
            failures(connection);
            transactions(connection);
            preparedStatements(connection);
            portals(connection);
            copies(connection);
            notifications(connection);
            cancellation(connection);
            metadata(connection);
            largeValues(connection);
            sessionState(connection);
        }
        batches(false);
        batches(true);
        // One message for each question.
        try (Connection connection = connect("preferQueryMode", "simple")) {
            preparedStatements(connection);
        }
        fails("28P01", () -> connect("password", "wrong").close());
        System.out.println("done");
    }
}
