//! Who wants to log in, to what, and with which settings.
//!
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-STARTUPMESSAGE>

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use crate::version::ProtocolVersion;
use crate::{frame, text};

/// Names of options of the protocol itself begin so; a server says which of them it does not know.
const PROTOCOL_OPTION: &str = "_pq_.";

/// A `StartupMessage`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartupMessage {
    pub version: ProtocolVersion,
    /// Not empty.
    pub user: String,
    /// Not empty. That of the user's name where the client named none.
    pub database: String,
    /// All others, in their order: settings, `options`, `replication`.
    pub parameters: Vec<(String, String)>,
    /// Names of options of the protocol. Of those there is none that is known here.
    pub protocol_options: Vec<String>,
}

impl StartupMessage {
    /// Reads what stands behind the version.
    pub(super) fn read(
        version: ProtocolVersion,
        reader: &mut Reader<'_>,
    ) -> Result<Self, Violation> {
        let (mut user, mut database) = (String::new(), String::new());
        let (mut parameters, mut protocol_options) = (Vec::new(), Vec::new());
        loop {
            let name = text::read_string(reader)?;
            if name.is_empty() {
                break;
            }
            let value = text::read_string(reader)?;
            match name.as_str() {
                "user" => user = value,
                "database" => database = value,
                option if option.starts_with(PROTOCOL_OPTION) => protocol_options.push(name),
                _ => parameters.push((name, value)),
            }
        }
        if user.is_empty() {
            return Err(Violation::Malformed { what: "a startup packet without a user" });
        }
        if database.is_empty() {
            database.clone_from(&user);
        }
        Ok(Self { version, user, database, parameters, protocol_options })
    }

    pub fn encode(&self, out: &mut BytesMut) {
        frame::write_packet_with(out, |out| {
            out.put_u32(self.version.to_u32());
            let named = [("user", &self.user), ("database", &self.database)];
            let named = named.into_iter().map(|(name, value)| (name, value.as_str()));
            let others =
                self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let options = self.protocol_options.iter().map(|name| (name.as_str(), ""));
            for (name, value) in named.chain(others).chain(options) {
                text::put(out, name.as_bytes());
                text::put(out, value.as_bytes());
            }
            out.put_u8(0);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::StartupPacket;
    use super::*;
    use crate::cuts;

    /// Of psql 15.
    const CAPTURED: &[u8] = b"\0\x03\0\0user\0app\0database\0shop\0application_name\0psql\0\0";

    fn message(payload: &[u8]) -> StartupMessage {
        match StartupPacket::decode(payload) {
            Ok(StartupPacket::Startup(message)) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn comes_back_as_it_was() {
        let psql = message(CAPTURED);
        assert_eq!((psql.version, &*psql.user), (ProtocolVersion::V3_0, "app"));
        assert_eq!(psql.database, "shop");
        assert_eq!(psql.parameters, [("application_name".to_owned(), "psql".to_owned())]);
        let mut out = BytesMut::new();
        psql.encode(&mut out);
        assert_eq!(&out[4..], CAPTURED);
        cuts::are_refused(CAPTURED, StartupPacket::decode);
    }

    #[test]
    fn a_database_is_named_like_its_user_unless_it_is_named() {
        for unnamed in [&b"\0\x03\0\0user\0app\0\0"[..], b"\0\x03\0\0user\0app\0database\0\0\0"] {
            assert_eq!(message(unnamed).database, "app");
        }
    }

    #[test]
    fn nobody_logs_in_without_a_name() {
        let without = Violation::Malformed { what: "a startup packet without a user" };
        for nobody in [&b"\0\x03\0\0\0"[..], b"\0\x03\0\0user\0\0\0", b"\0\x03\0\0database\0a\0\0"]
        {
            assert_eq!(StartupPacket::decode(nobody), Err(without));
        }
    }

    #[test]
    fn options_of_the_protocol_are_set_apart() {
        let newer = message(b"\0\x03\0\x02user\0app\0_pq_.compression\0on\0TimeZone\0UTC\0\0");
        assert_eq!(newer.version, ProtocolVersion::V3_2);
        assert_eq!(newer.protocol_options, ["_pq_.compression"]);
        assert_eq!(newer.parameters, [("TimeZone".to_owned(), "UTC".to_owned())]);
    }

    #[test]
    fn nothing_stands_behind_the_end() {
        assert!(StartupPacket::decode(b"\0\x03\0\0user\0app\0\0x").is_err());
        assert!(StartupPacket::decode(b"\0\x03\0\0user\0\xff\xfe\0\0").is_err());
    }
}
