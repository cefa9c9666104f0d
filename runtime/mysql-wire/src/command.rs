//! The first byte of what a client sends once it is logged in.

/// Writes the enum, the way back from its code, and the names for logs from one table.
macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $label:literal;)*) => {
        /// `COM_*`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Command { $($(#[$doc])* $name = $code,)* }

        impl Command {
            /// `None` for a code that no server knows.
            #[must_use]
            pub fn from_u8(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }

            /// The code on the wire.
            #[must_use]
            pub fn code(self) -> u8 {
                match self { $(Self::$name => $code,)* }
            }

            /// The name that the manuals use.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }
        }

        #[cfg(test)]
        const ALL: &[Command] = &[$(Command::$name),*];
    };
}

commands! {
    Sleep = 0x00, "COM_SLEEP";
    Quit = 0x01, "COM_QUIT";
    InitDb = 0x02, "COM_INIT_DB";
    Query = 0x03, "COM_QUERY";
    FieldList = 0x04, "COM_FIELD_LIST";
    CreateDb = 0x05, "COM_CREATE_DB";
    DropDb = 0x06, "COM_DROP_DB";
    Refresh = 0x07, "COM_REFRESH";
    Shutdown = 0x08, "COM_SHUTDOWN";
    Statistics = 0x09, "COM_STATISTICS";
    ProcessInfo = 0x0a, "COM_PROCESS_INFO";
    Connect = 0x0b, "COM_CONNECT";
    ProcessKill = 0x0c, "COM_PROCESS_KILL";
    Debug = 0x0d, "COM_DEBUG";
    Ping = 0x0e, "COM_PING";
    Time = 0x0f, "COM_TIME";
    DelayedInsert = 0x10, "COM_DELAYED_INSERT";
    ChangeUser = 0x11, "COM_CHANGE_USER";
    BinlogDump = 0x12, "COM_BINLOG_DUMP";
    TableDump = 0x13, "COM_TABLE_DUMP";
    ConnectOut = 0x14, "COM_CONNECT_OUT";
    RegisterReplica = 0x15, "COM_REGISTER_SLAVE";
    StmtPrepare = 0x16, "COM_STMT_PREPARE";
    StmtExecute = 0x17, "COM_STMT_EXECUTE";
    /// Has no reply.
    StmtSendLongData = 0x18, "COM_STMT_SEND_LONG_DATA";
    /// Has no reply.
    StmtClose = 0x19, "COM_STMT_CLOSE";
    StmtReset = 0x1a, "COM_STMT_RESET";
    SetOption = 0x1b, "COM_SET_OPTION";
    StmtFetch = 0x1c, "COM_STMT_FETCH";
    Daemon = 0x1d, "COM_DAEMON";
    BinlogDumpGtid = 0x1e, "COM_BINLOG_DUMP_GTID";
    ResetConnection = 0x1f, "COM_RESET_CONNECTION";
    Clone = 0x20, "COM_CLONE";
    SubscribeGroupReplication = 0x21, "COM_SUBSCRIBE_GROUP_REPLICATION_STREAM";
    /// MariaDB only.
    StmtBulkExecute = 0xfa, "COM_STMT_BULK_EXECUTE";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_leads_back_to_its_command() {
        for command in ALL {
            assert_eq!(Command::from_u8(command.code()), Some(*command));
        }
        assert_eq!(Command::from_u8(0x16).map(Command::name), Some("COM_STMT_PREPARE"));
        assert_eq!(Command::from_u8(0x99), None);
    }
}
