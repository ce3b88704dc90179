<?php
// The same responses as the server's, for comparison: PHP without a framework, on php-fpm with opcache.
//
// Uses every optimization of PHP: persistent connections, statements prepared once for each connection, verified tokens
// cached in shared memory until they expire, and no unused code.

declare(strict_types=1);

const LEEWAY = 5; // seconds
const PREFIX = '/api/v1/reengagement/';
const LEVELS = ['critical', 'high', 'medium', 'low', 'engaged', 'all'];
const NUMBERS = ['previous_response_rate', 'attendance_rate_percent', 'lifetime_value'];
const COUNTS = ['risk_score', 'days_since_last_contact', 'action_priority', 'total_lifetime_appointments',
    'missed_appointments_last_90d'];

function refuse(int $status): never
{
    answer(['status' => $status], $status, 'application/problem+json');
    exit;
}

function answer(array $content, int $status = 200, string $type = 'application/json'): void
{
    $body = json_encode($content, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR);
    http_response_code($status);
    header('Content-Type: ' . $type);
    header('Content-Length: ' . strlen($body));
    header('Cache-Control: no-store');
    echo $body;
}

function decoded(string $part): string
{
    return base64_decode(strtr($part, '-_', '+/'), true) ?: '';
}

function verified(string $token): array
{
    $parts = explode('.', $token);
    if (count($parts) !== 3) refuse(401);
    $header = json_decode(decoded($parts[0]), true);
    $claims = json_decode(decoded($parts[1]), true);
    $key = openssl_pkey_get_public(file_get_contents($_SERVER['PUBLIC_KEY']));
    if (($header['alg'] ?? '') !== 'RS256'
        || openssl_verify("$parts[0].$parts[1]", decoded($parts[2]), $key, OPENSSL_ALGO_SHA256) !== 1) refuse(401);
    $now = time();
    if (!isset($claims['exp'], $claims['sub'], $claims['iss']) || $claims['iss'] !== $_SERVER['ISSUER']
        || $claims['exp'] + LEEWAY <= $now || ($claims['nbf'] ?? 0) > $now + LEEWAY
        || ($claims['iat'] ?? 0) > $now + LEEWAY) refuse(401);
    apcu_store('token ' . $token, $claims, $claims['exp'] + LEEWAY - $now);
    return $claims;
}

/** The token's claims, if it is valid and for the organization of the path. */
function principal(string $organization): array
{
    $authorization = $_SERVER['HTTP_AUTHORIZATION'] ?? '';
    if (strncasecmp($authorization, 'Bearer ', 7) !== 0) refuse(401);
    $token = substr($authorization, 7);
    $claims = apcu_fetch('token ' . $token);
    if ($claims === false || $claims['exp'] + LEEWAY <= time()) $claims = verified($token);
    $active = ($claims['v'] ?? 0) === 2 ? ($claims['o']['id'] ?? null) : ($claims['org_id'] ?? null);
    if ($active !== $organization) refuse(403);
    return $claims;
}

function prepare(PgSql\Connection $database, string $name, string $sql): void
{
    // The connection still has its prepared statements, but PHP has lost its variables from the last request.
    if (apcu_add("prepared $name " . pg_get_pid($database), true)) pg_prepare($database, $name, $sql);
}

/** Runs one statement in a transaction with the organization set for row-level security. */
function run(string $organization, string $name, array $parameters): PgSql\Result
{
    $statements = apcu_entry('statements', fn() => json_decode(file_get_contents($_SERVER['STATEMENTS']), true));
    $database = pg_pconnect($_SERVER['DATABASE_CONNECTION']) ?: refuse(503);
    prepare($database, 'bind', "SELECT set_config('reengagement.organization', $1, true)");
    prepare($database, $name, $statements[$name]);
    pg_query($database, 'BEGIN');
    pg_execute($database, 'bind', [$organization]);
    $result = pg_execute($database, $name, $parameters);
    if ($result === false || pg_query($database, 'COMMIT') === false) refuse(503);
    return $result;
}

/** The values of a response's fields, which have a type or are objects with fields of their own. */
function filled(array $fields, array $row): array
{
    foreach ($fields as $name => $type) {
        $fields[$name] = match ($type) {
            'integer' => (int) $row[$name],
            'number' => (float) $row[$name],
            'string' => $row[$name],
            default => filled($type, $row),
        };
    }
    return $fields;
}

function risk_metrics(string $organization): void
{
    // They come from the OpenAPI document.
    $fields = apcu_entry('risk metrics', fn() => json_decode(file_get_contents($_SERVER['RISK_METRICS']), true));
    $row = pg_fetch_assoc(run($organization, 'risk_metrics', [$organization]));
    answer(filled($fields, ['organization_id' => $organization] + $row));
}

function base64url(string $bytes): string
{
    return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
}

/** The parameters that a cursor belongs to, unused filters included. */
function digest(string $organization, string $level): string
{
    $filters = json_encode([$organization, $level, null, null, null, null, 'priority'], JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
    return base64url(substr(hash('sha256', $filters, true), 0, 16));
}

function place(?string $cursor, string $organization, string $level): array
{
    if ($cursor === null) return [null, null, null, null];
    $parts = json_decode(decoded($cursor), true);
    if (!is_array($parts) || array_slice($parts, 0, 2) !== ['2', digest($organization, $level)]) refuse(422);
    return array_slice($parts, 2, 4);
}

function patient(array $row): array
{
    unset($row['timestamp'], $row['treatment_notes'], $row['total'], $row['sort_name']);
    foreach (COUNTS as $name) if ($row[$name] !== null) $row[$name] = (int) $row[$name];
    foreach (NUMBERS as $name) if ($row[$name] !== null) $row[$name] = (float) $row[$name];
    return $row;
}

function prioritized(string $organization): void
{
    $level = $_GET['risk_level'] ?? 'all';
    $limit = filter_var($_GET['limit'] ?? 50, FILTER_VALIDATE_INT, ['options' => ['min_range' => 1, 'max_range' => 200]]);
    if ($limit === false || !in_array($level, LEVELS, true)) refuse(422);
    [$priority, $score, $days, $id] = place($_GET['cursor'] ?? null, $organization, $level);
    $rows = pg_fetch_all(run($organization, 'prioritized_patients', [$organization, $level === 'all' ? null : $level,
        null, null, null, null, 'priority', 'false', $limit + 1, $priority, $score, $days, null, $id]));
    $shown = $rows[0]['id'] === null ? [] : array_slice($rows, 0, $limit);
    $patients = array_map(patient(...), $shown);
    $last = end($patients);
    $next = count($rows) <= $limit ? null : base64url(json_encode(['2', digest($organization, $level),
        $last['action_priority'], $last['risk_score'], $last['days_since_last_contact'], $last['id']],
        JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE));
    answer([
        'patients' => $patients,
        'summary' => [
            'total_returned' => count($patients),
            'total' => (int) $rows[0]['total'],
            'filters_applied' => ['risk_level' => $level, 'limit' => $limit],
            'next_cursor' => $next,
        ],
        'timestamp' => $rows[0]['timestamp'],
    ]);
}

function role_of(array $claims): ?string
{
    return ($claims['v'] ?? 0) === 2 ? ($claims['o']['rol'] ?? null) : ($claims['org_role'] ?? null);
}

function log_outreach(string $organization, array $claims): void
{
    $attempt = json_decode(file_get_contents('php://input'), true) ?? refuse(400);
    $patient = $attempt['patient_id'] ?? null;
    $notes = $attempt['notes'] ?? '';
    if (!is_string($patient) || $patient === '' || !is_string($notes) || code_points($notes) > 4000
        || !in_array($attempt['method'] ?? null, ['sms', 'email', 'phone'], true)
        || !in_array($attempt['outcome'] ?? null, ['success', 'no_response', 'failed'], true)
        || !is_bool($attempt['opened'] ?? false)) refuse(422);
    $row = pg_fetch_assoc(run($organization, 'log_outreach', [$organization, $patient, $attempt['method'],
        $attempt['outcome'], ($attempt['opened'] ?? false) ? 'true' : 'false', $notes, $claims['sub'],
        $_SERVER['HTTP_IDEMPOTENCY_KEY'] ?? null, $claims['sid'] ?? null, role_of($claims), $claims['act']['sub'] ?? null,
        $_SERVER['REMOTE_ADDR'], $_SERVER['HTTP_X_REQUEST_ID'] ?? null, null]));
    if ($row['result'] === 'no_patient') refuse(404);
    if ($row['result'] === 'conflict') refuse(422);
    $wasCreated = $row['result'] === 'created';
    answer([
        'success' => true,
        'message' => $wasCreated ? 'The outreach attempt was logged.'
            : 'This outreach attempt had been logged already.',
        'outreach_id' => $row['outreach_id'],
        'logged_at' => $row['logged_at'],
    ], $wasCreated ? 201 : 200);
}

/** Code points of UTF-8, without an extension for it: all bytes but the following ones. */
function code_points(string $text): int
{
    return preg_match_all('/[^\x80-\xBF]/', $text);
}

function route(string $method, string $path): void
{
    if (!str_starts_with($path, PREFIX)) refuse(404);
    [$organization, $endpoint] = explode('/', substr($path, strlen(PREFIX)), 2) + ['', ''];
    $claims = principal(rawurldecode($organization));
    match ("$method $endpoint") {
        'GET risk-metrics' => risk_metrics($organization),
        'GET patients/prioritized' => prioritized($organization),
        'POST log-outreach' => log_outreach($organization, $claims),
        default => refuse(404),
    };
}

route($_SERVER['REQUEST_METHOD'], strtok($_SERVER['REQUEST_URI'], '?'));
