/// The OpenAPI document that is kept beside the endpoints.
public enum OpenAPI {
    public static let response = Response(
        status: 200, contentType: "application/json", body: PackageResources.openapi_json)
}
