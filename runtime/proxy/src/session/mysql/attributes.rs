//! What a client attaches to a statement: plugins are told, and servers that know of such things.
//!
//! <https://dev.mysql.com/doc/refman/9.0/en/query-attributes.html>

use bytes::BytesMut;
use tidegate_hook::Attribute;
use tidegate_mysql_wire::capabilities::Capabilities;
use tidegate_mysql_wire::packet::{
    Execute, ExecuteFlags, Prepared, QueryAttribute, QueryAttributes,
};

use super::Session;
use super::command::{ClientLost, Head};
use super::statement::{Asked, Outgoing};
use crate::conn::Inbox;
use crate::route::Place;

const NAMED: Capabilities = Capabilities::QUERY_ATTRIBUTES;
/// Where the flags stand in the argument of an execution.
const FLAGS: usize = 4;

impl Session {
    /// The client may attach attributes, so that its packets are laid out otherwise.
    pub(super) fn has_attributes(&self) -> bool {
        self.capabilities.contains(NAMED)
    }

    /// Finds the text of a query behind its attributes.
    pub(super) fn find_text(&self, head: &mut Head) -> Result<(), ClientLost> {
        if self.has_attributes() {
            let argument = head.argument(&self.client.inbox);
            let before = match argument.starts_with(&QueryAttributes::NONE) {
                true => QueryAttributes::NONE.len(),
                false => QueryAttributes::split(argument)?.1,
            };
            head.skip(before);
        }
        Ok(())
    }
}

/// The attributes of a query, whose text was found.
pub(super) fn of_query(head: Head, inbox: &Inbox) -> Vec<Attribute<'_>> {
    let before = head.attributes(inbox);
    if before.len() <= QueryAttributes::NONE.len() {
        return Vec::new();
    }
    match QueryAttributes::split(before) {
        Ok((attributes, _)) => attributes.filter_map(as_text).collect(),
        Err(_) => Vec::new(),
    }
}

/// Names are UTF-8, or the attribute is of no use to a plugin.
fn as_text(attribute: QueryAttribute<'_>) -> Option<Attribute<'_>> {
    let name = std::str::from_utf8(attribute.name).ok()?;
    Some(Attribute { name, value: attribute.text()? })
}

impl Session {
    /// Asks the plugins about the execution of a statement.
    pub(super) fn ask_execution(&mut self, id: u32, head: Head) -> Result<Asked, ClientLost> {
        let flags = head.argument(&self.client.inbox).get(FLAGS).copied().unwrap_or_default();
        let counted = ExecuteFlags::from_bits_retain(flags).contains(ExecuteFlags::PARAMETER_COUNT);
        let known = self.prepared.get(id).filter(|_| counted && head.is_whole());
        let Some(statement) = known.filter(|_| self.capabilities.contains(NAMED)) else {
            return Ok(self.ask_again(id, &[]));
        };
        let (types, long_data) = (statement.types.clone(), statement.long_data.clone());
        let prepared =
            Prepared { parameters: statement.parameters, types: &types, long_data: &long_data };
        // The inbox is lent out for the time of the question; it holds the attributes.
        let inbox = std::mem::take(&mut self.client.inbox);
        let asked = Execute::decode(head.argument(&inbox), &prepared, NAMED).map(|execute| {
            let attributes: Vec<_> = execute.attributes().filter_map(as_text).collect();
            self.ask_again(id, &attributes)
        });
        self.client.inbox = inbox;
        Ok(asked?)
    }

    /// The execution as the server at `place` must hear it. `None`: it would be too long.
    pub(super) fn execution_with_attributes(
        &mut self,
        place: Place,
        id: u32,
        head: Head,
    ) -> Result<Option<Outgoing>, ClientLost> {
        self.patch_id(place, id, head);
        let (Some(statement), Some(held)) = (self.prepared.get(id), self.leases.at(place)) else {
            return Ok(None);
        };
        let capabilities = held.capabilities();
        let Some(known) = held.leased.connection().statements.get(&statement.content) else {
            return Ok(None);
        };
        let prepared = Prepared {
            parameters: statement.parameters,
            types: &statement.types,
            long_data: &statement.long_data,
        };
        let execute = match Execute::decode(head.argument(&self.client.inbox), &prepared, NAMED) {
            Ok(execute) => execute,
            Err(violation) if head.is_whole() => return Err(violation.into()),
            // The attributes come last, and are not held.
            Err(_) => return Ok(None),
        };
        let sent = execute.types();
        let tells = sent.is_some();
        let types = sent.unwrap_or_else(|| statement.types.clone());
        let is_news = known.told != types;
        let rewritten = (!capabilities.contains(NAMED) || is_news && !tells).then(|| {
            let mut argument = BytesMut::new();
            execute.encode(&mut argument, capabilities, is_news);
            argument
        });
        if is_news {
            known.told.clone_from(&types);
        }
        statement.types = types;
        let Some(argument) = rewritten else {
            return Ok(Some(Outgoing::Frames(head)));
        };
        Ok(self.with_argument(head, &argument))
    }
}
