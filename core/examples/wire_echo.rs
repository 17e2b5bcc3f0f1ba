//! Decodes messages of Teleport's contract and encodes them again, so that a test outside can compare with Teleport's own
//! types. The bytes of a request under the name `request` are read as the core reads them, and answered as the JSON of what it
//! makes of them. Reads lines `<full message name> <bytes in hex>` and answers each with a line: the bytes in hex, or
//! `error: <why>`.

use std::io::{BufRead, Write};

use prost::Message;
use teleport_access_core::proto::teleport::users::v1 as users;
use teleport_access_core::proto::{proto, types, wrappers};
use teleport_access_core::teleport::AccessRequest;

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

// prost writes ResourceID as ResourceId, and so on.
messages! {
    "proto" is proto {
        PingRequest, PingResponse, Features, Watch, Event, AccessRequests, ListAccessRequestsRequest,
        ListAccessRequestsResponse, RequestStateSetter, GetUsersRequest, GetUserRequest, PluginDataSeq,
    }
    "types" is types {
        Metadata, ResourceHeader, AccessRequestV3, AccessRequestSpecV3, AccessReview, AccessReviewSubmission,
        AccessReviewThreshold, ThresholdIndexSets, ThresholdIndexSet, ResourceId, ResourceAccessId, ResourceConstraints,
        AwsConsoleResourceConstraints, SshResourceConstraints, WindowsDesktopResourceConstraints, PromotedAccessList, AccessRequestFilter,
        WatchKind, WatchStatusV1, WatchStatusSpecV1, UserV2, UserSpecV2, UserFilter, PluginDataFilter, RoleV6, RoleSpecV6, RoleConditions, Rule,
        AccessReviewConditions,
    }
    "wrappers" is wrappers { StringValues, LabelValues }
    "teleport.users.v1" is users { GetUserRequest, GetUserResponse, ListUsersRequest, ListUsersResponse }
}

fn echo_line(line: &str) -> Result<String, String> {
    let (name, digits) = line.split_once(' ').ok_or("want a name and hex digits")?;
    let name = match name {
        "types.ResourceID" => "types.ResourceId",
        "types.ResourceAccessID" => "types.ResourceAccessId",
        "types.AWSConsoleResourceConstraints" => "types.AwsConsoleResourceConstraints",
        "types.SSHResourceConstraints" => "types.SshResourceConstraints",
        name => name,
    };
    let bytes = from_hex(digits)?;
    let bytes = if name == "request" { read(&bytes)? } else { echo_named(name, &bytes)? };
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What the core makes of a request.
fn read(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let wire = types::AccessRequestV3::decode(bytes).map_err(|error| error.to_string())?;
    let request = AccessRequest::try_from(wire).map_err(|error| error.to_string())?;
    serde_json::to_vec(&request).map_err(|error| error.to_string())
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
