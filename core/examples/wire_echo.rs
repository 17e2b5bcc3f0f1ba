//! Decodes messages of Teleport's contract and encodes them again, so that a test outside can compare with Teleport's own
//! types. Reads lines `<full message name> <bytes in hex>` and answers each with a line: the bytes in hex, or
//! `error: <why>`.

use std::io::{BufRead, Write};

use prost::Message;
use teleport_access_core::proto::teleport::users::v1 as users;
use teleport_access_core::proto::{proto, types, wrappers};

/// Decodes and encodes one message.
fn echo<M: Message + Default>(bytes: &[u8]) -> Result<Vec<u8>, String> {
    M::decode(bytes).map(|message| message.encode_to_vec()).map_err(|error| error.to_string())
}

/// Makes the function from a message's full name to what echoes it.
macro_rules! messages {
    ($($full:literal is $package:ident { $($message:ident),* $(,)? })*) => {
        fn echo_named(name: &str, bytes: &[u8]) -> Result<Vec<u8>, String> {
            match name {
                $($(concat!($full, ".", stringify!($message)) => echo::<$package::$message>(bytes),)*)*
                _ => Err("no such message".to_owned()),
            }
        }
    };
}

// prost writes ResourceID as ResourceId.
messages! {
    "proto" is proto {
        PingRequest, PingResponse, Features, Watch, Event, AccessRequests, ListAccessRequestsRequest,
        ListAccessRequestsResponse, RequestStateSetter, GetUsersRequest, GetUserRequest,
    }
    "types" is types {
        Metadata, ResourceHeader, AccessRequestV3, AccessRequestSpecV3, AccessReview, AccessReviewSubmission,
        AccessReviewThreshold, ThresholdIndexSets, ThresholdIndexSet, ResourceId, PromotedAccessList, AccessRequestFilter,
        WatchKind, WatchStatusV1, WatchStatusSpecV1, UserV2, UserSpecV2, UserFilter, RoleV6, RoleSpecV6, RoleConditions, Rule,
        AccessReviewConditions,
    }
    "wrappers" is wrappers { StringValues, LabelValues }
    "teleport.users.v1" is users { GetUserRequest, GetUserResponse, ListUsersRequest, ListUsersResponse }
}

fn echo_line(line: &str) -> Result<String, String> {
    let (name, digits) = line.split_once(' ').ok_or("want a name and hex digits")?;
    let name = if name == "types.ResourceID" { "types.ResourceId" } else { name };
    let bytes = echo_named(name, &from_hex(digits)?)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn from_hex(digits: &str) -> Result<Vec<u8>, String> {
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).map_err(|error| error.to_string())?;
            u8::from_str_radix(pair, 16).map_err(|error| error.to_string())
        })
        .collect()
}

fn main() -> std::io::Result<()> {
    let mut answers = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        match echo_line(line?.trim_end_matches('\n')) {
            Ok(digits) => writeln!(answers, "{digits}")?,
            Err(why) => writeln!(answers, "error: {why}")?,
        }
        answers.flush()?;
    }
    Ok(())
}
