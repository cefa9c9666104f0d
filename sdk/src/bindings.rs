//! What `wit-bindgen` makes of `wit/plugin.wit`: one module for each single-export world.
//!
//! Nothing here is written by hand but the list of worlds. The imports are generated once and shared.

#![allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    unused_qualifications,
    clippy::use_self,
    reason = "generated code"
)]

pub mod imports {
    wit_bindgen::generate!({
        path: "../wit",
        world: "imports",
        generate_all,
        generate_unused_types: true,
    });
}

macro_rules! world {
    ($module:ident, $world:literal) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "../wit",
                world: $world,
                generate_all,
                pub_export_macro: true,
                export_macro_name: "export",
                default_bindings_module: "tidegate_sdk::bindings",
                with: {
                    "tidegate:plugin/types@0.1.0": crate::bindings::imports::tidegate::plugin::types,
                    "tidegate:plugin/targets@0.1.0": crate::bindings::imports::tidegate::plugin::targets,
                    "tidegate:plugin/session@0.1.0": crate::bindings::imports::tidegate::plugin::session,
                    "tidegate:plugin/answer@0.1.0": crate::bindings::imports::tidegate::plugin::answer,
                    "tidegate:plugin/statement@0.1.0": crate::bindings::imports::tidegate::plugin::statement,
                    "tidegate:plugin/sql-types@0.1.0": crate::bindings::imports::tidegate::plugin::sql_types,
                    "tidegate:plugin/log@0.1.0": crate::bindings::imports::tidegate::plugin::log,
                    "tidegate:plugin/config@0.1.0": crate::bindings::imports::tidegate::plugin::config,
                    "tidegate:plugin/metrics@0.1.0": crate::bindings::imports::tidegate::plugin::metrics,
                    "tidegate:plugin/kv@0.1.0": crate::bindings::imports::tidegate::plugin::kv,
                    "tidegate:plugin/clock@0.1.0": crate::bindings::imports::tidegate::plugin::clock,
                },
            });
        }
    };
}

world!(lifecycle, "lifecycle-world");
world!(ticker, "ticker-world");
world!(connection, "connection-world");
world!(connection_observer, "connection-observer-world");
world!(sql, "sql-world");
world!(sql_observer, "sql-observer-world");
