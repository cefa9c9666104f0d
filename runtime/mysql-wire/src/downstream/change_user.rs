//! A client that is logged in wants to be somebody else.

use zeroize::Zeroize as _;

use super::{Identified, Login, Offer, Refusal};
use crate::auth::Method;
use crate::compression::Algorithm;
use crate::packet::{ChangeUser, HandshakeResponse};

/// Begins a login in the place of the one that made the connection, from what follows the code of
/// a `COM_CHANGE_USER`. What comes of it is led on as in a handshake, but its packets are numbered
/// from `sequence`, that of the command's reply, and a refusal is one of the command.
///
/// `login` is the one before: what it has agreed on stays. `offer` is made anew, but for the nonce:
/// libraries use that of the handshake again, whatever they are sent. Its capabilities and TLS count
/// for nothing. The proof in the command is not looked at: the client is asked for another one, by
/// the method that fits.
///
/// # Errors
/// A refusal if the command is malformed.
pub fn change_user(
    argument: &[u8],
    login: &Login,
    mut offer: Offer,
    sequence: u8,
) -> Result<Identified, Refusal> {
    let mut change = ChangeUser::decode(argument, login.capabilities)
        .map_err(|violation| Refusal::violation(violation, sequence))?;
    change.proof.zeroize();
    let method = change.method.as_deref().and_then(Method::from_name);
    // Nobody is asked for the password in clear that need not send it.
    let method = method.filter(|method| !matches!(method, Method::ClearPassword | Method::Dialog));
    offer.method = method.unwrap_or(offer.method);
    offer.capabilities = login.capabilities;
    let response = HandshakeResponse {
        capabilities: login.capabilities,
        max_packet: 0,
        // A number that does not fit is of a collation that a handshake cannot name either.
        collation: change.collation.and_then(|id| id.try_into().ok()).unwrap_or(login.collation),
        user: change.user,
        proof: Vec::new(),
        database: change.database,
        // None that there is, so that whatever the user needs is asked for.
        method: Some(String::new()),
        attributes: change.attributes,
        zstd_level: match login.compression {
            Some(Algorithm::Zstd { level }) => level,
            _ => 0,
        },
    };
    Ok(Identified::new(offer, response, login.tls, sequence))
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::auth::{Credential, Verifier};
    use crate::capabilities::{Capabilities, SUPPORTED_BY_CLIENT_SIDE};
    use crate::downstream::{Auth, ClientTls, DecoyKey, PACKET_MAX, Reason};
    use crate::frame::{Packet, Packets};
    use crate::packet::AuthSwitchRequest;
    use crate::status::StatusFlags;

    const NONCE: [u8; 20] = *b"another twenty bytes";

    fn offer() -> Offer {
        Offer {
            server_version: "8.0.36-tidegate".to_owned(),
            connection_id: 7,
            nonce: NONCE,
            capabilities: Capabilities::empty(),
            method: Method::NativePassword,
            tls: ClientTls::Off,
            collation: 45,
            status: StatusFlags::AUTOCOMMIT,
            client_host: "10.0.0.9".to_owned(),
            long_nonce: [9; 32],
            public_key: None,
            decoy_key: DecoyKey([7; 32]),
        }
    }

    fn login(capabilities: Capabilities) -> Login {
        Login {
            user: "app".to_owned(),
            database: Some("shop".to_owned()),
            collation: 45,
            capabilities,
            attributes: Vec::new(),
            compression: Some(Algorithm::Zstd { level: 5 }),
            tls: true,
        }
    }

    fn command(method: &str, collation: u16, capabilities: Capabilities) -> BytesMut {
        let change = ChangeUser {
            user: "report".to_owned(),
            proof: b"of a nonce that nobody kept".to_vec(),
            database: None,
            collation: Some(collation),
            method: Some(method.to_owned()),
            attributes: vec![("program_name".to_owned(), "pool".to_owned())],
        };
        let mut out = BytesMut::new();
        change.encode(&mut out, capabilities);
        out
    }

    /// What the client is asked for, and what its answer by this password leads to.
    fn prove(identified: Identified, verifier: Verifier, password: &[u8]) -> (Method, Auth) {
        let mut out = BytesMut::new();
        let Ok(Auth::Continue(next)) = identified.verify(verifier, &mut out) else {
            panic!("the client is asked for a proof");
        };
        let packet = Packets::new(PACKET_MAX).next(&mut out).unwrap().unwrap();
        assert_eq!(packet.sequence, 3);
        let request = AuthSwitchRequest::decode(&packet.payload).unwrap();
        assert_eq!(request.data, [&NONCE[..], &[0]].concat());
        let method = Method::from_name(&request.method).unwrap();
        let credential = Credential::password(password);
        let proof = match method {
            Method::NativePassword => credential.prove_native(&NONCE),
            _ => credential.prove_sha2(&NONCE),
        };
        let proof = proof.unwrap();
        let payload = BytesMut::from(&proof[..]);
        (method, next.on_packet(Packet { sequence: 4, payload }, &mut out).unwrap())
    }

    #[test]
    fn a_client_proves_who_it_is_now() {
        let agreed = SUPPORTED_BY_CLIENT_SIDE | Capabilities::ZSTD_COMPRESSION;
        let methods = [Method::NativePassword, Method::CachingSha2Password];
        for method in methods {
            let command = command(method.name(), 255, agreed);
            let changed = || change_user(&command, &login(agreed), offer(), 3).unwrap();
            let now = changed().login().clone();
            let expected = Login {
                user: "report".to_owned(),
                database: None,
                collation: 255,
                attributes: vec![("program_name".to_owned(), "pool".to_owned())],
                ..login(agreed)
            };
            assert_eq!(now, expected);
            let (asked, auth) = prove(changed(), Verifier::password(b"pw"), b"pw");
            assert_eq!(asked, method);
            assert!(matches!(auth, Auth::Accepted(_)), "{auth:?}");
        }
        let command = command("mysql_native_password", 300, agreed);
        let changed = change_user(&command, &login(agreed), offer(), 3).unwrap();
        assert_eq!(changed.login().collation, 45);
        let (_, auth) = prove(changed, Verifier::password(b"pw"), b"wrong");
        assert!(matches!(auth, Auth::Mismatch(_)), "{auth:?}");
    }

    /// Who has no password proves it like any other: an empty proof was not sent for nothing.
    #[test]
    fn nobody_gets_in_without_being_asked() {
        let agreed = SUPPORTED_BY_CLIENT_SIDE;
        let command = command("mysql_native_password", 45, agreed);
        for (verifier, accepted) in [(Verifier::Empty, true), (Verifier::password(b"pw"), false)] {
            let changed = change_user(&command, &login(agreed), offer(), 3).unwrap();
            let (_, auth) = prove(changed, verifier, b"");
            assert_eq!(matches!(auth, Auth::Accepted(_)), accepted, "{auth:?}");
        }
    }

    #[test]
    fn what_cannot_be_asked_or_read_is_refused() {
        let old = Capabilities::PROTOCOL_41 | Capabilities::SECURE_CONNECTION;
        let changed = change_user(b"report\0\0\0", &login(old), offer(), 1).unwrap();
        let auth = changed.verify(Verifier::password(b"pw"), &mut BytesMut::new()).unwrap();
        let Auth::Denied(refusal) = auth else { panic!("{auth:?}") };
        assert_eq!((refusal.reason, refusal.sequence), (Reason::MethodUnsupported, 1));
        let refusal = change_user(b"report", &login(old), offer(), 1).unwrap_err();
        assert!(matches!(refusal.reason, Reason::Violation(_)) && refusal.sequence == 1);
    }
}
