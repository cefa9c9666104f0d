//! The background hook: `ticker`.

use crate::bindings::ticker::exports::tidegate::plugin::ticker::Guest;
use crate::ticker::Ticker;

use super::{Adapter, Hosted, milliseconds};

impl<H: Hosted> Guest for Adapter<H>
where
    H::Plugin: Ticker,
{
    fn tick() -> u32 {
        milliseconds(Self::plugin().tick())
    }
}
