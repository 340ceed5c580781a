"""One model and one set in many threads: the same results, and the interpreter's lock is released."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import libae
import numpy as np
import pytest


def test_many_threads_on_one_model_get_what_one_gets(model, vae, images):
    codes, pixels = model.encode(images), model.decode(model.encode(images), dtype=np.uint8)
    samples = vae.sample(50, seed=3)

    def work(number):
        part = slice(number % 7 * 100, number % 7 * 100 + 100)
        np.testing.assert_array_equal(model.encode(images[part]), codes[part])
        np.testing.assert_array_equal(model.decode(codes[part], dtype=np.uint8), pixels[part])
        np.testing.assert_array_equal(vae.sample(50, seed=3), samples)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(80)))


def test_many_threads_on_one_set_get_what_one_gets(packed, model):
    with libae.ImageSet.open(packed, model) as opened, ThreadPoolExecutor(8) as pool:
        whole = opened[:]
        for index, image in pool.map(lambda index: (index, opened[index]), range(0, 700, 3)):
            np.testing.assert_array_equal(image, whole[index])


def test_each_thread_has_its_own_message(model):
    def work(number):
        with pytest.raises(libae.Error, match=f"nowhere-{number}") as caught:
            libae.Model.open(f"/nowhere-{number}")
        return str(caught.value)

    with ThreadPoolExecutor(8) as pool:
        messages = list(pool.map(work, range(200)))
    assert len(set(messages)) == 200


def test_closing_during_calls_of_other_threads_frees_nothing_in_use(model, images):
    data = model.to_bytes()
    expected = model.encode(images)

    def work(opened, ready):
        ready.wait()
        for _ in range(200):
            try:
                np.testing.assert_array_equal(opened.encode(images), expected)
            except libae.ArgumentError:
                return

    for _ in range(5):
        opened = libae.Model.open(data)
        ready = threading.Barrier(4)
        with ThreadPoolExecutor(3) as pool:
            futures = [pool.submit(work, opened, ready) for _ in range(3)]
            ready.wait()
            time.sleep(0.01)
            opened.close()
            for future in futures:
                future.result()


def test_other_threads_run_during_a_call(images):
    turns = []
    trainer = libae.Trainer((12, 10), steps=10**9, progress_interval=2000, latent_size=3, hidden=(64,))
    done = threading.Event()

    def count():
        while not done.is_set():
            turns.append(time.monotonic())
            time.sleep(0.001)

    other = threading.Thread(target=count)
    other.start()
    try:
        began = time.monotonic()
        trainer.fit(images, lambda _: False)
        ended = time.monotonic()
    finally:
        done.set()
        other.join()
    during = [turn for turn in turns if began < turn < ended]
    assert len(during) > min(10, (ended - began) / 0.05)
