//! Turns a compiled browser module into one that JavaScript can load, with its JavaScript and types: `INPUT FOLDER NAME`.
//!
//! It is wasm-bindgen's own tool as a library, so that crate and tool come from one lock file and always fit.

use std::error::Error;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(input), Some(folder), Some(name)) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err("usage: teleport-access-bindgen INPUT FOLDER NAME".into());
    };
    // The worker says where the module is: its file has a hash in its name.
    Bindgen::new()
        .input_path(input)
        .out_name(&name)
        .web(true)?
        .typescript(true)
        .omit_default_module_path(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(folder)?;
    Ok(())
}
