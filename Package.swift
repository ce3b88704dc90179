// swift-tools-version: 6.2
import PackageDescription

// One floor a target (ARCHITECTURE.md). Imports are internal unless they say otherwise, so that no C type
// can leave the adapter that wraps it.
let floor: [SwiftSetting] = [
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

let package = Package(
    name: "reengagement-api",
    products: [.executable(name: "reengagement-api", targets: ["reengagement-api"])],
    dependencies: [
        // To the letter, since whatever a registry adds later has been read by nobody here.
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    ],
    targets: [
        .systemLibrary(name: "CFastCGI", pkgConfig: "fcgi", providers: [.apt(["libfcgi-dev"])]),
        .systemLibrary(name: "CPostgreSQL", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CJWT", pkgConfig: "libjwt", providers: [.apt(["libjwt-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CSystem"),

        .target(name: "JSON", swiftSettings: floor),
        .target(name: "Threads", swiftSettings: floor),
        .target(name: "Cache", swiftSettings: floor),
        .target(name: "FastCGI", dependencies: ["CFastCGI", "CSystem", "Threads"], swiftSettings: floor),
        .target(name: "PostgreSQL", dependencies: ["CPostgreSQL", "Threads"], swiftSettings: floor),
        .target(
            name: "JWT", dependencies: ["Cache", "JSON", "Threads", "CJWT", "COpenSSL", "CCurl", logging], swiftSettings: floor),
        .target(
            name: "API", dependencies: ["JSON", "PostgreSQL", "COpenSSL"], resources: [.embedInCode("openapi.json")],
            swiftSettings: floor),
        .target(
            name: "Server",
            dependencies: ["API", "Cache", "CSystem", "FastCGI", "JSON", "JWT", "PostgreSQL", "Threads", logging],
            swiftSettings: floor),
        .executableTarget(
            name: "reengagement-api",
            dependencies: ["Server", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: floor),

        .testTarget(name: "JSONTests", dependencies: ["JSON"]),
        .testTarget(name: "CacheTests", dependencies: ["Cache"]),
        .testTarget(name: "ThreadsTests", dependencies: ["Threads"]),
        .testTarget(name: "FastCGITests", dependencies: ["FastCGI", "Threads"]),
        .testTarget(name: "PostgreSQLTests", dependencies: ["PostgreSQL", "Threads"]),
        .testTarget(name: "JWTTests", dependencies: ["JWT", "JSON", "COpenSSL"]),
        .testTarget(name: "APITests", dependencies: ["API", "JSON", "PostgreSQL"]),
        .testTarget(name: "ServerTests", dependencies: ["Server", "API", "JWT", "PostgreSQL", "Threads", logging]),
    ],
    swiftLanguageModes: [.v6]
)

// The fuzzer is no part of the product, and needs flags of its own: Tests/Fuzz/run asks for it. Otherwise its targets are fed
// the inputs that are known.
let fuzzed: [Target.Dependency] = ["API", "FastCGI", "JSON", "JWT", "PostgreSQL", "Threads"]
let notSources = ["corpus", "report.py", "run", "words.dict"]
if Context.environment["REENGAGEMENT_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "Fuzz", dependencies: fuzzed, path: "Tests/Fuzz", exclude: notSources + ["CorpusTests.swift"],
            sources: ["Fuzz.swift", "Targets"]))
} else {
    package.targets.append(
        .testTarget(
            name: "FuzzTests", dependencies: fuzzed, path: "Tests/Fuzz", exclude: notSources + ["Fuzz.swift"],
            sources: ["CorpusTests.swift", "Targets"]))
}
