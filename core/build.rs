//! Generates the Rust side of the contracts in `proto/`. protox parses them, so no protoc is needed.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let proto = PathBuf::from("../proto");
    println!("cargo:rerun-if-changed={}", proto.display());
    // Services that the core calls. What a Teleport answers is looked at before it is read: it may be hostile.
    generate(&proto, &["teleport"], "crate::teleport::BoundedCodec", true, false)?;
    generate(&proto, &["mattermost", "bridge"], PROST, true, false)?;
    // Services that the core answers, and the wall, which has none.
    generate(&proto, &["plugin", "wall"], PROST, false, true)?;
    // The core answers, and its other half in the browser calls.
    generate(&proto, &["panel"], PROST, true, true)
}

/// The codec that tonic comes with.
const PROST: &str = "tonic_prost::ProstCodec";

/// Generates all files of the given folders.
fn generate(
    proto: &std::path::Path,
    rooms: &[&str],
    codec: &str,
    client: bool,
    server: bool,
) -> Result<(), Box<dyn Error>> {
    let includes: Vec<_> = rooms.iter().map(|room| proto.join(room)).collect();
    let mut files = Vec::new();
    for folder in &includes {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "proto") {
                files.push(path);
            }
        }
    }
    files.sort();
    let descriptors = protox::Compiler::new(&includes)?
        .include_imports(true)
        .include_source_info(true)
        .open_files(&files)?
        .file_descriptor_set();
    tonic_prost_build::configure()
        .build_client(client)
        .build_server(server)
        .build_transport(false)
        .codec_path(codec)
        // Written by hand: it keeps the bytes of the spec, as fields that are not known would be lost otherwise.
        .extern_path(".types.AccessRequestV3", "crate::teleport::AccessRequestV3")
        .compile_fds(descriptors)?;
    Ok(())
}
