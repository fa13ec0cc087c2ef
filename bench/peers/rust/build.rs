fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=../../echo.proto");
    tonic_prost_build::configure().build_client(false).compile_protos(&["../../echo.proto"], &["../.."])?;
    connectrpc_build::Config::new()
        .files(&["../../echo.proto"])
        .includes(&["../.."])
        .include_file("connectrpc.rs")
        .compile()?;
    Ok(())
}
