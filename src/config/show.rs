//! Writes values as TOML, in the forms that are read.

use std::fmt::Display;
use std::time::Duration;

use toml::Table;
use toml::Value;

use super::forms;

/// A table with the given keys.
pub(super) fn table<const N: usize>(keys: [(&str, Value); N]) -> Table {
    keys.into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// Anything that has a text.
pub(super) fn text(value: impl Display) -> Value {
    Value::String(value.to_string())
}

/// A list of texts.
pub(super) fn texts<T: Display>(values: &[T]) -> Value {
    Value::Array(values.iter().map(text).collect())
}

/// A whole number.
pub(super) fn number<N: TryInto<i64>>(value: N) -> Value {
    Value::Integer(value.try_into().unwrap_or(i64::MAX))
}

/// A time.
pub(super) fn duration(value: Duration) -> Value {
    Value::String(forms::duration_text(value))
}

/// A size in bytes.
pub(super) fn size<N: TryInto<u64>>(bytes: N) -> Value {
    Value::String(forms::size_text(bytes.try_into().unwrap_or(u64::MAX)))
}
