// swift-tools-version: 6.2
import PackageDescription

// One target per layer (ARCHITECTURE.md). Imports are internal by default, so no C type can leave the module that
// wraps it.
let floor: [SwiftSetting] = [
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nio = ["NIOCore", "NIOPosix", "NIOHTTP1", "NIOWebSocket"].map {
    Target.Dependency.product(name: $0, package: "swift-nio")
}

let package = Package(
    name: "reengagement-api",
    products: [.executable(name: "reengagement-api", targets: ["reengagement-api"])],
    dependencies: [
        // Exact versions, so that a new release is reviewed before it is used.
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
    ],
    targets: [
        .systemLibrary(name: "CFastCGI", pkgConfig: "fcgi", providers: [.apt(["libfcgi-dev"])]),
        .systemLibrary(name: "CPostgreSQL", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CJWT", pkgConfig: "libjwt", providers: [.apt(["libjwt-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CLinux"),

        .target(name: "Text", swiftSettings: floor),
        .target(name: "Threads", swiftSettings: floor),
        .target(name: "Cache", swiftSettings: floor),
        .target(name: "Digest", dependencies: ["COpenSSL", "Text"], swiftSettings: floor),
        .target(name: "Addresses", dependencies: ["CCurl"], swiftSettings: floor),
        .target(name: "Files", swiftSettings: floor),
        .target(name: "JSON", dependencies: ["Text"], swiftSettings: floor),
        .target(name: "FastCGI", dependencies: ["CFastCGI", "CLinux", "Text", "Threads"], swiftSettings: floor),
        .target(name: "PostgreSQL", dependencies: ["CPostgreSQL", "Threads"], swiftSettings: floor),
        .target(
            name: "JWT",
            dependencies: [
                "Addresses", "Cache", "Digest", "Files", "JSON", "Text", "Threads", "CJWT", "COpenSSL", "CCurl",
                logging,
            ],
            swiftSettings: floor),
        .target(name: "Webhook", dependencies: ["Addresses", "Digest", "Files", "JSON"], swiftSettings: floor),
        .target(
            name: "API", dependencies: ["Addresses", "Digest", "JSON", "PostgreSQL", "Text", "Webhook"],
            resources: [.embedInCode("openapi.json")], swiftSettings: floor),
        .target(name: "Live", dependencies: ["FastCGI", "JSON", "Threads"] + nio, swiftSettings: floor),
        .target(
            name: "Delivery",
            dependencies: [
                "Addresses", "CCurl", "Digest", "JSON", "PostgreSQL", "Text", "Threads", "Webhook", logging,
            ],
            swiftSettings: floor),
        .target(
            name: "Server",
            dependencies: [
                "API", "Cache", "CLinux", "Delivery", "Digest", "FastCGI", "Files", "JSON", "JWT", "Live", "PostgreSQL",
                "Text", "Threads", "Webhook", logging,
            ],
            swiftSettings: floor),
        .executableTarget(
            name: "reengagement-api",
            dependencies: ["Server", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: floor),

        .testTarget(name: "JSONTests", dependencies: ["JSON"]),
        .testTarget(name: "CacheTests", dependencies: ["Cache"]),
        .testTarget(name: "TextTests", dependencies: ["Digest", "Text"]),
        .testTarget(name: "ThreadsTests", dependencies: ["Threads"]),
        .testTarget(name: "FastCGITests", dependencies: ["FastCGI", "Threads"]),
        .testTarget(name: "LiveTests", dependencies: ["Live", "Threads"] + nio),
        .testTarget(name: "PostgreSQLTests", dependencies: ["PostgreSQL", "Threads"]),
        .testTarget(name: "JWTTests", dependencies: ["JWT", "Files", "JSON", "COpenSSL"]),
        .testTarget(name: "WebhookTests", dependencies: ["Webhook", "Addresses", "JSON"]),
        .testTarget(name: "APITests", dependencies: ["API", "JSON", "PostgreSQL", "Webhook"]),
        .testTarget(name: "DeliveryTests", dependencies: ["Delivery", "JSON", "Webhook"]),
        .testTarget(
            name: "ServerTests",
            dependencies: ["Server", "API", "JWT", "Live", "PostgreSQL", "Threads", "Webhook", logging]),
    ],
    swiftLanguageModes: [.v6]
)

// The fuzzer is not part of the product and needs its own flags, so only Tests/Fuzz/run asks for it. Otherwise a test
// runs the fuzz targets on the stored inputs.
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
