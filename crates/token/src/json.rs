//! JSON, read strictly (T3).
//!
//! The grammar, numbers and escapes are serde_json's; so are the refusals of a
//! BOM and of lone surrogates. Added here: no member twice in one object, no NUL,
//! at most [`MAX_DEPTH`] levels. Text without escapes is borrowed.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use crate::refusal::{Malformed, Part, Refusal};

const MAX_DEPTH: u8 = 8;

/// A value in which every member name is there once.
#[derive(Debug, PartialEq)]
pub(crate) enum Json<'j> {
    Null,
    Flag(bool),
    Number(Number),
    Text(Cow<'j, str>),
    List(Vec<Json<'j>>),
    Object(Object<'j>),
}

/// The members of an object, sorted by name.
#[derive(Debug, PartialEq)]
pub(crate) struct Object<'j>(Vec<(Cow<'j, str>, Json<'j>)>);

/// Why a text was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    NotJson,
    NotAnObject,
    DuplicateMember,
    TooDeep,
    Nul,
}

/// Reads a text that must be one object.
pub(crate) fn object(text: &[u8]) -> Result<Object<'_>, Fault> {
    let text = str::from_utf8(text).map_err(|_| Fault::NotJson)?;
    let fault = Cell::new(Fault::NotJson);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let reader = Reader {
        levels_left: MAX_DEPTH,
        fault: &fault,
    };
    let value = reader
        .deserialize(&mut deserializer)
        .map_err(|_| fault.get())?;
    deserializer.end().map_err(|_| Fault::NotJson)?;
    match value {
        Json::Object(object) => Ok(object),
        Json::Null | Json::Flag(_) | Json::Number(_) | Json::Text(_) | Json::List(_) => {
            Err(Fault::NotAnObject)
        }
    }
}

impl<'j> Object<'j> {
    pub(crate) fn get(&self, name: &str) -> Option<&Json<'j>> {
        // Most names differ in length or first letter, which is quicker to see
        // than where a name would be in order.
        let alike = |member: &str| {
            member.len() == name.len() && member.bytes().next() == name.bytes().next()
        };
        let mut members = self.0.iter();
        let found = members.find(|(member, _)| alike(member) && member == name);
        found.map(|(_, value)| value)
    }

    /// The member, unless it is absent or null.
    pub(crate) fn present(&self, name: &str) -> Option<&Json<'j>> {
        self.get(name).filter(|value| **value != Json::Null)
    }

    /// Whether it has no member but these.
    pub(crate) fn has_only(&self, names: &[&str]) -> bool {
        self.0
            .iter()
            .all(|(name, _)| names.contains(&name.as_ref()))
    }

    pub(crate) fn into_members(self) -> impl Iterator<Item = (Cow<'j, str>, Json<'j>)> {
        self.0.into_iter()
    }
}

impl Json<'_> {
    pub(crate) fn into_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Flag(flag) => Value::Bool(flag),
            Self::Number(number) => Value::Number(number),
            Self::Text(text) => Value::String(text.into_owned()),
            Self::List(items) => items.into_iter().map(Json::into_value).collect(),
            Self::Object(object) => object
                .into_members()
                .map(|(name, value)| (name.into_owned(), value.into_value()))
                .collect(),
        }
    }
}

impl Fault {
    /// The refusal of a token with this fault in one of its parts.
    pub(crate) fn within(self, part: Part) -> Refusal {
        Refusal::Malformed(match self {
            Self::DuplicateMember => return Refusal::DuplicateMember(part),
            Self::NotJson => Malformed::NotJson(part),
            Self::NotAnObject => Malformed::NotAnObject(part),
            Self::TooDeep => Malformed::TooDeep(part),
            Self::Nul => Malformed::Nul(part),
        })
    }
}

/// Reads one value. What it finds wrong itself is left in `fault`, because the
/// deserializer's own error is a text.
#[derive(Clone, Copy)]
struct Reader<'f> {
    levels_left: u8,
    fault: &'f Cell<Fault>,
}

impl Reader<'_> {
    fn fail<E: Error>(self, fault: Fault) -> E {
        self.fault.set(fault);
        E::custom("")
    }

    fn deeper<E: Error>(self) -> Result<Self, E> {
        match self.levels_left.checked_sub(1) {
            Some(levels_left) => Ok(Self {
                levels_left,
                ..self
            }),
            None => Err(self.fail(Fault::TooDeep)),
        }
    }

    /// Text that had escapes in it. In other text there can be no NUL.
    fn unescaped<'j, E: Error>(self, text: &str) -> Result<Cow<'j, str>, E> {
        if text.contains('\0') {
            Err(self.fail(Fault::Nul))
        } else {
            Ok(text.to_owned().into())
        }
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Json<'de>, E> {
        Ok(Json::Flag(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Json<'de>, E> {
        Number::from_f64(number)
            .map(Json::Number)
            .ok_or_else(|| self.fail(Fault::NotJson))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(text.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Json<'de>, E> {
        self.unescaped(text).map(Json::Text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json<'de>, A::Error> {
        let within = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(within)? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json<'de>, A::Error> {
        let within = self.deeper()?;
        let mut object = Vec::with_capacity(8);
        while let Some(name) = members.next_key_seed(Name(within))? {
            object.push((name, members.next_value_seed(within)?));
        }
        object.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        if object
            .array_windows()
            .any(|[(one, _), (other, _)]| one == other)
        {
            return Err(self.fail(Fault::DuplicateMember));
        }
        Ok(Json::Object(Object(object)))
    }
}

/// Reads a member's name, with the same care as any other text.
struct Name<'f>(Reader<'f>);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name<'_> {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(text.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        self.0.unescaped(text)
    }
}
