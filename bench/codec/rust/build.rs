fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    let protos = ["../shapes.proto", "../sparse.proto"];
    std::fs::create_dir_all(out.join("prost"))?;
    prost_build::Config::new().out_dir(out.join("prost")).compile_protos(&protos, &[".."])?;
    buffa_build::Config::new()
        .files(&protos)
        .includes(&[".."])
        .generate_json(true)
        .include_file("buffa.rs")
        .compile()?;
    Ok(())
}
