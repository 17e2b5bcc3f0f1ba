//! The contracts of `proto/` in Rust, one module a package. Made by the build; see the `.proto` files for what
//! everything means.
#![allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, clippy::pedantic, clippy::restriction)]

/// Teleport's package `proto`: the auth service.
pub mod proto {
    tonic::include_proto!("proto");
}

/// Teleport's package `types`: access requests and what belongs to them.
pub mod types {
    tonic::include_proto!("types");
    pub use crate::teleport::AccessRequestV3;
}

/// Teleport's package `wrappers`: lists of texts.
pub mod wrappers {
    tonic::include_proto!("wrappers");
}

/// Teleport's package `teleport.users.v1`: looking users up.
pub mod teleport {
    #[allow(missing_docs)]
    pub mod users {
        #[allow(missing_docs)]
        pub mod v1 {
            tonic::include_proto!("teleport.users.v1");
        }
    }
}

/// The Mattermost Plugin API, served by the shim.
pub mod mattermost {
    tonic::include_proto!("mattermost");
}

/// The way to Teleport, served by the shim.
pub mod bridge {
    tonic::include_proto!("bridge");
}

/// Mattermost's hooks, served by the core.
pub mod plugin {
    tonic::include_proto!("plugin");
}

/// What the browser asks, served by the core.
pub mod panel {
    tonic::include_proto!("panel");
}

/// Heads of the exchanges that cross the wall.
pub mod wall {
    tonic::include_proto!("wall");
}
