//! MariaDB's `COM_STMT_BULK_EXECUTE`: one execution for many rows of parameters.
//!
//! <https://mariadb.com/kb/en/com_stmt_bulk_execute/>

use bytes::BytesMut;
use tidegate_mysql_wire::capabilities::Capabilities;
use tidegate_mysql_wire::packet::BulkExecute;

use super::Session;
use super::command::{ClientLost, Head};
use super::statement::Outgoing;
use crate::route::Place;

impl Session {
    /// The execution as the server at `place` must hear it. `None`: it would be too long, or the
    /// server cannot do that.
    pub(super) fn bulk_execution(
        &mut self,
        place: Place,
        id: u32,
        head: Head,
    ) -> Result<Option<Outgoing>, ClientLost> {
        self.patch_id(place, id, head);
        let (Some(statement), Some(held)) = (self.prepared.get(id), self.leases.at(place)) else {
            return Ok(None);
        };
        if !held.capabilities().contains(Capabilities::STMT_BULK_OPERATIONS) {
            return Ok(None);
        }
        let Some(known) = held.leased.connection().statements.get(&statement.content) else {
            return Ok(None);
        };
        let argument = head.argument(&self.client.inbox);
        let bulk = BulkExecute::decode(argument, statement.parameters)?;
        let told = !bulk.types.is_empty();
        if told && bulk.types != statement.types {
            statement.types = bulk.types.to_vec();
        }
        if known.told == statement.types || told {
            known.told.clone_from(&statement.types);
            return Ok(Some(Outgoing::Frames(head)));
        }
        // The client has told the types on another connection; here they are new.
        known.told.clone_from(&statement.types);
        let mut typed = BytesMut::new();
        BulkExecute { types: &statement.types, ..bulk }.encode(&mut typed);
        Ok(self.with_argument(head, &typed))
    }
}
