//! An access request as bytes: what a decoder of known fields alone would lose.

use prost::bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost::{DecodeError, Message};

use crate::proto::types;

/// Teleport's message of this name, with the spec as it came.
#[derive(Clone, PartialEq, Message)]
pub struct AccessRequestV3 {
    /// `access_request`.
    #[prost(string, tag = "1")]
    pub kind: String,
    /// Empty.
    #[prost(string, tag = "2")]
    pub sub_kind: String,
    /// `v3`.
    #[prost(string, tag = "3")]
    pub version: String,
    /// Its name is the request's id.
    #[prost(message, optional, tag = "4")]
    pub metadata: Option<types::Metadata>,
    /// The bytes of [`types::AccessRequestSpecV3`]. Should the field come in pieces, they count as one after the other.
    #[prost(bytes = "vec", repeated, tag = "5")]
    pub spec: Vec<Vec<u8>>,
}

impl AccessRequestV3 {
    /// A request whose spec has known fields only.
    #[must_use]
    pub fn new(metadata: types::Metadata, spec: &types::AccessRequestSpecV3) -> Self {
        Self { metadata: Some(metadata), spec: vec![spec.encode_to_vec()], ..Self::default() }
    }
}

/// Fields of the spec that are known: all up to 26. Some of them are of no interest here and are not read.
const SPEC: std::ops::RangeInclusive<u32> = 1..=26;
/// The spec's resources.
const RESOURCE_IDS: u32 = 14;
/// The spec's resources with their constraints.
const RESOURCE_ACCESS_IDS: u32 = 26;
/// Most unknown fields of one request that are named.
const MAX_UNKNOWN: usize = 20;
/// What stands for the rest of them.
pub(super) const AND_MORE: &str = "and more";

/// The fields with a value that are not known in a spec, its resources and their constraints: by their numbers from the
/// outside in, such as `spec.27` or `spec.26.2.14`, each once.
pub(super) fn unknown_fields(spec: &[u8]) -> Result<Vec<String>, DecodeError> {
    let mut found = Vec::new();
    each(spec, |number, content| {
        match number {
            RESOURCE_IDS => resource_id("spec.14", content, &mut found)?,
            RESOURCE_ACCESS_IDS => resource_access_id(content, &mut found)?,
            number if SPEC.contains(&number) => {}
            number => note("spec", number, &mut found),
        }
        Ok(())
    })?;
    Ok(found)
}

fn resource_access_id(bytes: &[u8], found: &mut Vec<String>) -> Result<(), DecodeError> {
    each(bytes, |number, content| {
        match number {
            1 => resource_id("spec.26.1", content, found)?,
            2 => constraints(content, found)?,
            number => note("spec.26", number, found),
        }
        Ok(())
    })
}

fn resource_id(path: &str, bytes: &[u8], found: &mut Vec<String>) -> Result<(), DecodeError> {
    only_known(path, bytes, &[1, 2, 3, 4], found)
}

fn constraints(bytes: &[u8], found: &mut Vec<String>) -> Result<(), DecodeError> {
    each(bytes, |number, content| {
        match number {
            1 => {}
            10 | 11 | 13 => only_known(&format!("spec.26.2.{number}"), content, &[1], found)?,
            number => note("spec.26.2", number, found),
        }
        Ok(())
    })
}

fn only_known(path: &str, bytes: &[u8], known: &[u32], found: &mut Vec<String>) -> Result<(), DecodeError> {
    each(bytes, |number, _| {
        if !known.contains(&number) {
            note(path, number, found);
        }
        Ok(())
    })
}

fn note(path: &str, number: u32, found: &mut Vec<String>) {
    let field = format!("{path}.{number}");
    if found.contains(&field) {
        return;
    }
    match found.len() {
        length if length < MAX_UNKNOWN => found.push(field),
        // That there are more is a field of its own, which no admin is asked to accept.
        MAX_UNKNOWN => found.push(AND_MORE.to_owned()),
        _ => {}
    }
}

/// Goes through the fields of a message that have a value. Nothing but zeros is none: that is what servers write where a
/// field of theirs is not set.
fn each(mut bytes: &[u8], mut visit: impl FnMut(u32, &[u8]) -> Result<(), DecodeError>) -> Result<(), DecodeError> {
    while bytes.has_remaining() {
        let (number, kind) = decode_key(&mut bytes)?;
        let mut content = bytes;
        skip_field(kind, number, &mut bytes, DecodeContext::default())?;
        content = content.get(..content.len() - bytes.len()).unwrap_or_default();
        let has_value = match kind {
            WireType::LengthDelimited => {
                decode_varint(&mut content)?;
                !content.is_empty()
            }
            // The highest bit of a byte only says that another one follows.
            WireType::Varint => content.iter().any(|byte| byte & 0x7f != 0),
            WireType::ThirtyTwoBit | WireType::SixtyFourBit => content.iter().any(|byte| *byte != 0),
            WireType::StartGroup | WireType::EndGroup => true,
        };
        if has_value {
            visit(number, content)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field that holds bytes.
    fn field(number: u32, content: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        prost::encoding::encode_key(number, WireType::LengthDelimited, &mut bytes);
        prost::encoding::encode_varint(content.len() as u64, &mut bytes);
        bytes.extend_from_slice(content);
        bytes
    }

    /// A field that holds a number.
    fn number(number: u32, value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        prost::encoding::encode_key(number, WireType::Varint, &mut bytes);
        prost::encoding::encode_varint(value, &mut bytes);
        bytes
    }

    fn unknown(spec: &[u8]) -> Vec<String> {
        unknown_fields(spec).unwrap_or_else(|error| vec![error.to_string()])
    }

    #[test]
    fn every_known_field_is_known_and_the_next_one_is_not() {
        // The resources are messages, see below.
        for known in (1..=26).filter(|number| ![RESOURCE_IDS, RESOURCE_ACCESS_IDS].contains(number)) {
            assert_eq!(unknown(&number(known, 1)), Vec::<String>::new().as_slice(), "{known}");
        }
        assert_eq!(unknown(&number(27, 1)), ["spec.27"]);
        assert_eq!(unknown(&[number(27, 1), field(1_000, b"x"), number(27, 2)].concat()), ["spec.27", "spec.1000"]);
    }

    #[test]
    fn a_field_without_a_value_does_not_count() {
        assert_eq!(unknown(&[number(27, 0), field(28, b"")].concat()), Vec::<String>::new());
        let fixed = |last: u8| [&[0xe5, 0x01, 0, 0, 0][..], &[last]].concat();
        assert_eq!(unknown(&fixed(0)), Vec::<String>::new());
        assert_eq!(unknown(&fixed(0x80)), ["spec.28"]);
    }

    #[test]
    fn resources_and_constraints_are_looked_into() {
        let id = field(5, b"new");
        let arm = field(11, &[field(1, b"root"), field(2, b"more")].concat());
        let restricted =
            field(26, &[field(1, &id), field(2, &[arm, field(12, b"db")].concat()), field(3, b"x")].concat());
        assert_eq!(
            unknown(&[field(14, &id), restricted].concat()),
            ["spec.14.5", "spec.26.1.5", "spec.26.2.11.2", "spec.26.2.12", "spec.26.3"]
        );
    }

    #[test]
    fn what_is_cut_off_is_no_spec_and_what_is_endless_is_bounded() {
        assert!(unknown_fields(&[0x0a, 5, b'a']).is_err());
        assert!(unknown_fields(&field(14, &[0x0a, 5, b'a'])).is_err());
        let many: Vec<u8> = (100..200).flat_map(|field| number(field, 1)).collect();
        assert_eq!(unknown(&many).len(), MAX_UNKNOWN + 1);
        assert_eq!(unknown(&many).last().map(String::as_str), Some(AND_MORE));
    }
}
