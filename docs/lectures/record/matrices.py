"""Small dense matrices: reading them from checkpoints, their singular values, and PowerSGD on them."""
import array
import json
import math
import random


def read_weights(path):
    """Returns the matrices of the model in a checkpoint: name -> (shape, values)."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        start, found, prefix = file.tell(), {}, "worker.0/method/model/"
        for name, entry in header.items():
            if not name.startswith(prefix) or len(entry["shape"]) < 2:
                continue
            first, last = entry["data_offsets"]
            file.seek(start + first)
            values = array.array("f", file.read(last - first))
            found[name[len(prefix):]] = (entry["shape"], values)
    return found


def gradient(before, after, rate):
    """Returns the gradient of a plain step as rows: (before - after) / rate."""
    shape, old = before
    new = after[1]
    columns = math.prod(shape[1:])
    values = [(a - b) / rate for a, b in zip(old, new)]
    return [values[row * columns:(row + 1) * columns] for row in range(shape[0])]


def transposed(rows):
    return [list(column) for column in zip(*rows)]


def dot(a, b):
    return sum(map(float.__mul__, a, b))


def singular_values(rows):
    """Returns all singular values, the largest first, by Jacobi rotations of the smaller Gram matrix."""
    if len(rows) > len(rows[0]):
        rows = transposed(rows)
    gram = [[dot(a, b) for b in rows] for a in rows]
    size = len(gram)
    total = sum(gram[i][i] for i in range(size))
    for _ in range(30):
        if sum(gram[i][j] ** 2 for i in range(size) for j in range(i)) < (1e-9 * total) ** 2:
            break
        for p in range(size - 1):
            for q in range(p + 1, size):
                rotate(gram, p, q, total)
    return sorted((math.sqrt(max(gram[i][i], 0.0)) for i in range(size)), reverse=True)


def rotate(gram, p, q, total):
    """Makes gram[p][q] zero by a rotation in the plane of p and q."""
    if abs(gram[p][q]) < 1e-13 * total:
        return
    slope = (gram[q][q] - gram[p][p]) / (2 * gram[p][q])
    t = math.copysign(1, slope) / (abs(slope) + math.hypot(slope, 1))
    c = 1 / math.hypot(t, 1)
    s = t * c
    a, b = gram[p], gram[q]
    gram[p] = [c * x - s * y for x, y in zip(a, b)]
    gram[q] = [s * x + c * y for x, y in zip(a, b)]
    for row in gram:
        x, y = row[p], row[q]
        row[p], row[q] = c * x - s * y, s * x + c * y


def orthonormal(columns):
    """Returns an orthonormal basis of the columns, by Gram-Schmidt in two passes; dependent columns are dropped."""
    basis = []
    for column in columns:
        before = math.sqrt(dot(column, column))
        for _ in range(2):
            for other in basis:
                share = dot(other, column)
                column = [x - share * y for x, y in zip(column, other)]
        after = math.sqrt(dot(column, column))
        if before > 0 and after > 1e-9 * before:
            basis.append([x / after for x in column])
    return basis


def power_step(rows, q):
    """One step of PowerSGD: P = M Q, orthonormal; Q = M^T P. Columns of Q and P are lists. Returns Q."""
    p = orthonormal([[dot(row, column) for row in rows] for column in q])
    across = transposed(rows)
    return [[dot(row, column) for row in across] for column in p]


def energy(q):
    """Returns the squared norm of P Q^T for orthonormal P."""
    return sum(dot(column, column) for column in q)


def first_q(columns, rank):
    draws = random.Random(1)
    return [[draws.gauss(0, 1) for _ in range(columns)] for _ in range(rank)]
