//! The macros that turn a type into the exports of a component.

/// Exports a unit struct whose only hook is [`SqlPlugin`](crate::sql::SqlPlugin).
///
/// ```
/// use tidegate_sdk::sql::*;
///
/// struct ReadOnly;
///
/// impl SqlPlugin for ReadOnly {
///     fn on_statement(&self, _: &Session, statement: &Statement) -> Verdict {
///         if statement.is_read() { Verdict::next() } else { Verdict::reject("this is a read-only service") }
///     }
/// }
///
/// tidegate_sdk::export_sql!(ReadOnly);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export_sql {
    ($plugin:ident) => {
        $crate::export!($plugin: sql);
    };
}

/// Exports a type with any of the hooks `sql`, `sql_observer`, `connection`, `connection_observer`
/// and `ticker`.
///
/// A unit struct needs no more than its name. Anything else is made by `init`, a function of the
/// [`Config`](crate::Config); when it fails, the plugin is not loaded, and the generation before it
/// stays in service. A crate exports one plugin.
///
/// ```
/// use tidegate_sdk::{Config, ConfigError, Target, connection::*, sql::*};
///
/// struct Router {
///     reports: Target,
/// }
///
/// impl Router {
///     fn from_config(config: &Config) -> Result<Self, ConfigError> {
///         Ok(Self { reports: config.get("reports")? })
///     }
/// }
///
/// impl ConnectionPlugin for Router {
///     fn on_authenticated(&self, session: &Session) -> Admission {
///         if session.user() == "reports" { Admission::route(&self.reports) } else { Admission::next() }
///     }
/// }
///
/// impl SqlPlugin for Router {
///     fn on_statement(&self, _: &Session, _: &Statement) -> Verdict {
///         Verdict::next()
///     }
/// }
///
/// tidegate_sdk::export!(Router: sql, connection; init = Router::from_config);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export {
    ($plugin:ident : $($hook:ident),+ $(,)?) => {
        $crate::export!(@ $plugin: $($hook),+; |_: &str| ::core::result::Result::Ok($plugin));
    };
    ($plugin:ident : $($hook:ident),+ ; init = $init:expr) => {
        $crate::export!(@ $plugin: $($hook),+; |config: &str| {
            $crate::exported::configured(config, $init)
        });
    };
    (@ $plugin:ident : $($hook:ident),+ ; $init:expr) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Hosted;
            impl $crate::guest::Hosted for Hosted {
                type Plugin = $plugin;
                fn slot() -> &'static $crate::guest::Slot<$plugin> {
                    ::std::thread_local! {
                        static SLOT: ::core::cell::Cell<::core::option::Option<&'static $plugin>> =
                            const { ::core::cell::Cell::new(::core::option::Option::None) };
                    }
                    &SLOT
                }
                fn init(
                    config: &str,
                ) -> ::core::result::Result<$plugin, ::std::string::String> {
                    ($init)(config)
                }
            }
            type Adapter = $crate::guest::Adapter<Hosted>;
            $crate::bindings::lifecycle::export!(Adapter with_types_in $crate::bindings::lifecycle);
            $( $crate::bindings::$hook::export!(Adapter with_types_in $crate::bindings::$hook); )+
        };
        // Natively nothing is exported, but what would be must exist.
        #[cfg(not(target_family = "wasm"))]
        const _: () = {
            const _: $crate::exported::Init<$plugin> = $init;
            $( const _: fn() = $crate::exported::$hook::<$plugin>; )+
        };
    };
}
