//! Reads a Teleport's messages within bounds: a small message can say a lot that takes memory.

use std::marker::PhantomData;

use prost::Message;
use prost::bytes::Buf;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

/// Most fields of one message, those of the messages in it included. Two bytes are enough for an empty message in another,
/// which takes a hundred times as much memory once it is read: so a message's length alone bounds nothing. A page of a
/// listing has some ten thousand fields.
const MAX_FIELDS: usize = 200_000;
/// How deep messages are looked into. Teleport's are not half as deep.
const MAX_DEPTH: usize = 16;

/// [`ProstCodec`], but for messages with too many fields.
#[derive(Debug, Clone)]
pub struct BoundedCodec<T, U> {
    types: PhantomData<(T, U)>,
}

impl<T, U> Default for BoundedCodec<T, U> {
    fn default() -> Self {
        Self { types: PhantomData }
    }
}

impl<T, U> Codec for BoundedCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = BoundedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::default().encoder()
    }

    fn decoder(&mut self) -> Self::Decoder {
        BoundedDecoder { decoder: ProstCodec::<T, U>::default().decoder() }
    }
}

/// [`ProstDecoder`], but for messages with too many fields.
#[derive(Debug, Clone)]
pub struct BoundedDecoder<U> {
    decoder: ProstDecoder<U>,
}

impl<U: Message + Default> Decoder for BoundedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let message = buffer.chunk();
        // tonic hands over a message in one piece.
        if message.len() < buffer.remaining() {
            return Err(Status::internal("a message came in pieces"));
        }
        if !within(message, MAX_FIELDS) {
            return Err(Status::resource_exhausted(format!("a message has more than {MAX_FIELDS} fields")));
        }
        self.decoder.decode(buffer)
    }
}

/// Whether a message has at most so many fields. Which of its fields are messages is not known here: whatever could be
/// one counts as one, as far as it goes, so that it is rather too many than too few.
fn within(message: &[u8], most: usize) -> bool {
    let mut left = most;
    count(message, MAX_DEPTH, &mut left);
    left > 0
}

/// Takes the fields of a message from `left`, until nothing is left.
fn count(mut bytes: &[u8], depth: usize, left: &mut usize) {
    if depth == 0 {
        // A field has at least two bytes.
        *left = left.saturating_sub(bytes.len() / 2);
        return;
    }
    let mut groups = Vec::new();
    while !bytes.is_empty() && *left > 0 {
        // Texts are seldom fields for long.
        let Some((content, rest)) = field(bytes, &mut groups) else { return };
        *left -= 1;
        if let Some(content) = content {
            count(content, depth - 1, left);
        }
        bytes = rest;
    }
}

/// The first field: its content, if that could be a message, and what follows it. None where it is no field. `groups` are
/// the groups that have begun and not ended.
fn field<'a>(bytes: &'a [u8], groups: &mut Vec<u64>) -> Option<(Option<&'a [u8]>, &'a [u8])> {
    let (key, bytes) = varint(bytes)?;
    let number = key >> 3;
    if number == 0 {
        return None;
    }
    match key & 7 {
        0 => Some((None, varint(bytes)?.1)),
        1 => Some((None, bytes.get(8..)?)),
        2 => {
            let (length, bytes) = varint(bytes)?;
            let length = usize::try_from(length).ok()?;
            Some((Some(bytes.get(..length)?), bytes.get(length..)?))
        }
        // The begin and the end of a group; what is between them are fields.
        3 if groups.len() < 100 => {
            groups.push(number);
            Some((None, bytes))
        }
        4 if groups.pop() == Some(number) => Some((None, bytes)),
        5 => Some((None, bytes.get(4..)?)),
        _ => None,
    }
}

/// The number that the bytes begin with, and what follows it.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (place, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(place + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it is the number of fields and no other.
    fn has(message: &[u8], fields: usize) -> bool {
        within(message, fields + 1) && !within(message, fields)
    }

    #[test]
    fn fields_are_counted_with_those_of_messages_in_them() {
        assert!(has(&[], 0));
        assert!(has(&[0x08, 1], 1));
        assert!(has(&[0x08, 0xff, 1, 0x0d, 1, 2, 3, 4, 0x09, 1, 2, 3, 4, 5, 6, 7, 8], 3));
        // A message of two fields in one of one.
        assert!(has(&[0x0a, 4, 0x08, 1, 0x10, 1], 3));
    }

    #[test]
    fn what_is_cut_off_counts_as_far_as_it_goes() {
        // Two empty messages, and then none: a decoder has read two of them by then.
        assert!(has(&[0x0a, 5, 0x0a, 0, 0x0a, 0, 0xff], 3));
        assert!(has(&[0x0a, 5], 0));
        assert!(has(&[0x80; 20], 0));
        // What follows a group is read on, but not what follows the end of one that has not begun.
        assert!(has(&[0x0b, 0x0c, 0x0a, 0], 3));
        assert!(has(&[0x0c, 0x0a, 0], 0));
    }

    #[test]
    fn depth_does_not_hide_fields() {
        let mut message = [0x0a, 0].repeat(50);
        for _ in 0..40 {
            let mut around = vec![0x0a];
            prost::encoding::encode_varint(message.len() as u64, &mut around);
            around.extend_from_slice(&message);
            message = around;
        }
        assert!(!within(&message, 60));
        assert!(within(&message, 200));
    }

    #[test]
    fn a_small_message_of_many_empty_requests_is_too_much() {
        let hostile = [0x0a, 0].repeat(MAX_FIELDS);
        assert!(hostile.len() < 1 << 20);
        assert!(!within(&hostile, MAX_FIELDS));
    }

    /// A field that holds a text or a message.
    fn holding(number: u32, content: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        prost::encoding::encode_key(number, prost::encoding::WireType::LengthDelimited, &mut bytes);
        prost::encoding::encode_varint(content.len() as u64, &mut bytes);
        bytes.extend_from_slice(content);
        bytes
    }

    #[test]
    fn a_page_of_large_requests_is_not() {
        let roles: Vec<u8> = (0..50).flat_map(|n| holding(2, format!("role-{n}").as_bytes())).collect();
        let reason = holding(8, "The quick brown fox jumps over the lazy dog. ".repeat(90).as_bytes());
        let resource = |n: u32| {
            let name = format!("0192f2c0-5a5e-7f3e-8000-{n:012}");
            let fields = [holding(1, b"leaf.example.com"), holding(2, b"node"), holding(3, name.as_bytes())];
            holding(14, &fields.concat())
        };
        let resources: Vec<u8> = (0..100).flat_map(resource).collect();
        let request = holding(1, &holding(5, &[roles, reason, resources].concat()));
        let page = request.repeat(100);
        assert!(page.len() > 1 << 20);
        assert!(within(&page, MAX_FIELDS));
    }
}
