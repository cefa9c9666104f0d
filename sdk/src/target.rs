//! Where a request goes, by name.

use std::fmt;
use std::rc::Rc;

use crate::host;

/// Where a request goes: `orders`, `orders/primary`, `orders/replica`, `orders@10.0.0.2:3306`.
///
/// A name is enough wherever a target is wanted; the host is asked for it once per instance. A plugin
/// that gets names from its configuration should [resolve](Self::resolve) them while it starts (reading
/// a `Target` from the [`Config`](crate::Config) does), so that a misspelt one is refused at once.
///
/// ```
/// use tidegate_sdk::{Target, sql::Verdict};
///
/// let replica = Target::resolve("orders/replica")?;
/// assert_eq!(Verdict::route(&replica), Verdict::route("orders/replica"));
/// # Ok::<(), tidegate_sdk::UnknownTarget>(())
/// ```
#[derive(Clone)]
pub struct Target {
    name: Name,
    number: u32,
}

#[derive(Clone)]
enum Name {
    Fixed(&'static str),
    Shared(Rc<str>),
}

impl Target {
    /// Asks the host whether there is such a target.
    ///
    /// # Errors
    /// [`UnknownTarget`], which names those that there are.
    ///
    /// ```
    /// use tidegate_sdk::{Target, mock};
    ///
    /// let _host = mock::Host::new().with_targets(&["orders/primary", "orders/replica"]);
    /// let error = Target::resolve("orders/secondary").unwrap_err();
    /// assert!(error.to_string().contains("orders/replica"));
    /// ```
    pub fn resolve(name: impl Into<Self>) -> Result<Self, UnknownTarget> {
        let mut target = name.into();
        target.number = host::targets::resolve(target.name()).map_err(UnknownTarget)?;
        Ok(target)
    }

    /// The name that it was made of.
    ///
    /// ```
    /// # use tidegate_sdk::Target;
    /// assert_eq!(Target::from("orders").name(), "orders");
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.name {
            Name::Fixed(name) => name,
            Name::Shared(name) => name,
        }
    }

    #[cfg(target_family = "wasm")]
    pub(crate) fn resolved(&self) -> Option<u32> {
        (self.number != 0).then_some(self.number)
    }
}

impl From<&'static str> for Target {
    fn from(name: &'static str) -> Self {
        Self { name: Name::Fixed(name), number: 0 }
    }
}

impl From<String> for Target {
    fn from(name: String) -> Self {
        Self { name: Name::Shared(name.into()), number: 0 }
    }
}

impl From<&Self> for Target {
    fn from(target: &Self) -> Self {
        target.clone()
    }
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Target {}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.name(), f)
    }
}

/// The configuration has no such upstream, role or server. Displayed, it names those that there are.
///
/// ```
/// use tidegate_sdk::{Target, UnknownTarget, mock};
///
/// let _host = mock::Host::new().with_targets(&["orders"]);
/// let error: UnknownTarget = Target::resolve("order").unwrap_err();
/// assert_eq!(error.to_string(), "no target \"order\"; there are: orders");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownTarget(pub(crate) String);

impl fmt::Display for UnknownTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UnknownTarget {}
