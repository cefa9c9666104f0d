//! What `wit/plugin.wit` becomes on this side. Generated; nothing is written here by hand.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "host-view",
    ownership: Borrowing { duplicate_if_necessary: true },
    imports: { default: trappable },
});
