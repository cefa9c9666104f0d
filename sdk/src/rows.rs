//! Result sets that a plugin makes up.

/// How the client is told to read a column.
///
/// ```
/// use tidegate_sdk::sql::{ColumnType, Rows};
///
/// let rows = Rows::new([("id", ColumnType::Bigint), ("name", ColumnType::Text)]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// A string.
    Text,
    /// A whole number of 64 bits.
    Bigint,
    /// A floating-point number.
    Double,
    /// Bytes.
    Blob,
}

impl ColumnType {
    /// The word that the contract uses for it.
    ///
    /// ```
    /// # use tidegate_sdk::sql::ColumnType;
    /// assert_eq!(ColumnType::Bigint.as_str(), "bigint");
    /// ```
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Bigint => "bigint",
            Self::Double => "double",
            Self::Blob => "blob",
        }
    }
}

/// One value of a row: made of a text, a number, bytes, or an `Option` of one of these, where `None`
/// is NULL.
///
/// ```
/// use tidegate_sdk::sql::Value;
///
/// let values = [Value::from("ann"), 42_i64.into(), 0.5.into(), Value::from(None::<&str>)];
/// assert_eq!(values[1], Value::from("42"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value(pub(crate) Option<Vec<u8>>);

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self(Some(text.into()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self(Some(text.into()))
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Some(bytes))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        number.to_string().into()
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        number.to_string().into()
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        number.to_string().into()
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self(None), Into::into)
    }
}

/// A result set that a plugin answers with in the server's place.
///
/// ```
/// use tidegate_sdk::sql::*;
///
/// let rows = Rows::new([("user", ColumnType::Text), ("statements", ColumnType::Bigint)])
///     .row(["ann".into(), Value::from(42_i64)])
///     .row(["bob".into(), Value::from(None::<i64>)]);
/// let verdict = Verdict::reply_rows(rows);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    pub(crate) columns: Vec<(String, ColumnType)>,
    pub(crate) rows: Vec<Vec<Value>>,
}

impl Rows {
    /// No rows yet, of these columns.
    ///
    /// ```
    /// # use tidegate_sdk::sql::{ColumnType, Rows};
    /// let nobody = Rows::new([("user", ColumnType::Text)]);
    /// ```
    pub fn new<N: Into<String>>(columns: impl IntoIterator<Item = (N, ColumnType)>) -> Self {
        let columns = columns.into_iter().map(|(name, kind)| (name.into(), kind)).collect();
        Self { columns, rows: Vec::new() }
    }

    /// One row more.
    ///
    /// # Panics
    /// When there are not as many values as columns.
    ///
    /// ```
    /// # use tidegate_sdk::sql::{ColumnType, Rows};
    /// let one = Rows::new([("user", ColumnType::Text)]).row(["ann"]);
    /// ```
    #[must_use]
    pub fn row<V: Into<Value>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        let row: Vec<Value> = values.into_iter().map(Into::into).collect();
        assert_eq!(row.len(), self.columns.len(), "a row has one value for each column");
        self.rows.push(row);
        self
    }
}
