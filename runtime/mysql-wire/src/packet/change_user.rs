//! A client that is logged in wants to be somebody else.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_change_user.html>

use std::fmt;

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use super::handshake_response::{name, put_text, read_attributes, read_method, write_attributes};
use crate::capabilities::Capabilities;
use crate::lenenc;

/// What follows the code of a `COM_CHANGE_USER`.
#[derive(Clone, PartialEq, Eq)]
pub struct ChangeUser {
    pub user: String,
    /// What [`Self::method`] makes of the password and the nonce of the login; at most 255 bytes.
    pub proof: Vec<u8>,
    /// Never empty.
    pub database: Option<String>,
    /// Absent from old clients.
    pub collation: Option<u16>,
    pub method: Option<String>,
    pub attributes: Vec<(String, String)>,
}

impl ChangeUser {
    /// Of a client that has agreed on `capabilities`.
    ///
    /// # Errors
    /// A violation if it is cut short, or if a name in it is not UTF-8.
    pub fn decode(argument: &[u8], capabilities: Capabilities) -> Result<Self, Violation> {
        let mut reader = Reader::new(argument, "a change of the user");
        let has = |flag| capabilities.contains(flag);
        let user = name(reader.until_nul()?, "a user name")?;
        let proof_len = reader.u8()?;
        let proof = reader.take(proof_len.into())?.to_vec();
        // Some leave out the NUL where nothing follows.
        let database = reader.until_nul().unwrap_or_else(|_| reader.rest());
        let database = Some(name(database, "a database name")?).filter(|name| !name.is_empty());
        let collation = if reader.is_empty() { None } else { Some(reader.u16_le()?) };
        let method = match has(Capabilities::PLUGIN_AUTH) && !reader.is_empty() {
            true => Some(read_method(&mut reader)?),
            false => None,
        };
        let attributes = match has(Capabilities::CONNECT_ATTRS) && !reader.is_empty() {
            true => read_attributes(lenenc::read_bytes(&mut reader)?)?,
            false => Vec::new(),
        };
        Ok(Self { user, proof, database, collation, method, attributes })
    }

    /// Writes all of it, as far as `capabilities` allow. A field that is absent ends it.
    pub fn encode(&self, out: &mut BytesMut, capabilities: Capabilities) {
        put_text(out, &self.user);
        let len = u8::try_from(self.proof.len()).unwrap_or(u8::MAX);
        out.put_u8(len);
        out.put_slice(&self.proof[..usize::from(len)]);
        put_text(out, self.database.as_deref().unwrap_or_default());
        let Some(collation) = self.collation else { return };
        out.put_u16_le(collation);
        if capabilities.contains(Capabilities::PLUGIN_AUTH) {
            let Some(method) = &self.method else { return };
            put_text(out, method);
        }
        if capabilities.contains(Capabilities::CONNECT_ATTRS) {
            write_attributes(out, &self.attributes);
        }
    }
}

/// The proof is left out: with some methods it is the password.
impl fmt::Debug for ChangeUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeUser")
            .field("user", &self.user)
            .field("database", &self.database)
            .field("collation", &self.collation)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Capabilities = Capabilities::PROTOCOL_41
        .union(Capabilities::PLUGIN_AUTH)
        .union(Capabilities::CONNECT_ATTRS);

    fn change() -> ChangeUser {
        ChangeUser {
            user: "report".to_owned(),
            proof: vec![7; 20],
            database: Some("shop".to_owned()),
            collation: Some(255),
            method: Some("mysql_native_password".to_owned()),
            attributes: vec![("_os".to_owned(), "Linux".to_owned())],
        }
    }

    fn encoded(change: &ChangeUser, capabilities: Capabilities) -> BytesMut {
        let mut out = BytesMut::new();
        change.encode(&mut out, capabilities);
        out
    }

    #[test]
    fn comes_back_as_it_was() {
        let bytes = encoded(&change(), ALL);
        assert!(bytes.starts_with(b"report\0\x14\x07"));
        assert!(bytes.ends_with(b"shop\0\xff\0mysql_native_password\0\x0a\x03_os\x05Linux"));
        assert_eq!(ChangeUser::decode(&bytes, ALL), Ok(change()));
    }

    #[test]
    fn each_field_has_its_flag_and_may_be_the_last() {
        let no_attributes = ChangeUser { attributes: Vec::new(), ..change() };
        let no_method = ChangeUser { method: None, ..no_attributes.clone() };
        let no_collation = ChangeUser { collation: None, ..no_method.clone() };
        let bytes = encoded(&change(), Capabilities::PROTOCOL_41);
        assert_eq!(ChangeUser::decode(&bytes, Capabilities::PROTOCOL_41), Ok(no_method.clone()));
        let plugin = Capabilities::PROTOCOL_41 | Capabilities::PLUGIN_AUTH;
        let bytes = encoded(&change(), plugin);
        assert_eq!(ChangeUser::decode(&bytes, ALL), Ok(no_attributes));
        for change in [no_method, no_collation] {
            assert_eq!(ChangeUser::decode(&encoded(&change, ALL), ALL), Ok(change));
        }
        assert_eq!(
            ChangeUser::decode(b"app\0\0", ALL).map(|change| (change.user, change.database)),
            Ok(("app".to_owned(), None))
        );
    }

    #[test]
    fn what_is_cut_or_no_text_is_refused() {
        let bytes = encoded(&change(), ALL);
        for cut in 0..=bytes.len() {
            let decoded = ChangeUser::decode(&bytes[..cut], ALL);
            // Only at the end of a field may it end.
            assert!(decoded.is_err() || cut > "report\0".len() + 20, "cut at {cut}");
        }
        assert!(ChangeUser::decode(&bytes[..bytes.len() - 1], ALL).is_err());
        assert!(ChangeUser::decode(b"caf\xe9\0\0\0", ALL).is_err());
    }

    #[test]
    fn debug_shows_no_proof() {
        let shown = format!("{:?}", ChangeUser { proof: vec![77; 3], ..change() });
        assert!(shown.contains("report") && !shown.contains("77"), "{shown}");
    }
}
